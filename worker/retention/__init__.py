"""Deletes what its retention time has passed for."""
