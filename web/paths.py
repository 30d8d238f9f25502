"""The path of the API on a server."""

PREFIX = "/api/v1"
