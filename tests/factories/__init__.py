"""Rows and files for tests, by subject: each function makes what its name says."""
