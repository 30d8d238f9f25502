"""The command line: a client of Pressroom's API, and of nothing else of it."""
