"""`GET /metrics`: the endpoint, the collector, and the metrics from the database."""
