"""A job, followed while it runs."""
