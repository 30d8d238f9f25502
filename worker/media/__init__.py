"""Uploads of media to Postiz, in fair order, and the removal of files that nothing needs."""
