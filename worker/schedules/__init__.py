"""Fires schedules that are due."""
