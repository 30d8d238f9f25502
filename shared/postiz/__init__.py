"""Postiz's HTTP API: the client, what it sends, what its answers mean, and how it is found."""
