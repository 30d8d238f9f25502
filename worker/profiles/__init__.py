"""Continues the deletion and the moves of large profiles, in batches."""
