"""Webhooks: the subscriptions, and the outbox of what they will receive."""
