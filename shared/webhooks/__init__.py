"""Webhooks: the subscriptions, and the outbox of what they are to receive."""
