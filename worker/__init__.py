"""The Celery workers: claim a row, make a call, record the result."""
