"""Schedules: their definitions, and what is published at a fire time."""
