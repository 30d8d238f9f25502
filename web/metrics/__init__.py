"""`GET /metrics`: the endpoint, the collector, and the figures of the database."""
