"""The calendar of posts: links to read it with, and the feed for calendar programs."""
