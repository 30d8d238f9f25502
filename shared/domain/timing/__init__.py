"""When rows are due: local times, slots, spacing, cron expressions and playlists."""
