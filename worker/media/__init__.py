"""Uploads of media to Postiz, in turns, and the removal of files that nothing needs."""
