"""The HTTP API, one module per resource: each view parses, calls and answers."""
