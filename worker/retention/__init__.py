"""Deletes rows and files whose retention time has passed."""
