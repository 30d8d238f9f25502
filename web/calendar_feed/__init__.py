"""The calendar of posts: the endpoints of its links, and the feed."""
