"""HTTP itself: requests, bodies, multipart, pagination, idempotency, problems."""
