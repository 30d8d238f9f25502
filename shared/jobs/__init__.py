"""Jobs: progress, expected ends, and the feed of their events."""
