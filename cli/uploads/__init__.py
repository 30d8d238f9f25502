"""Clips on their way to the server: several at once, each going on after a break."""
