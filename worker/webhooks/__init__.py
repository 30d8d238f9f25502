"""Deliveries to webhooks: attempts, their log, and their retries."""
