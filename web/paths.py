"""Where the API lies on a server."""

PREFIX = "/api/v1"
