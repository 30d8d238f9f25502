"""The HTTP API: validates, commits, wakes, answers."""
