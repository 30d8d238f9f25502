"""Schedules: what they are, and what a fire time of theirs publishes."""
