"""Uploads over several requests: their rows, and the bytes that have come."""
