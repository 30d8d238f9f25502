"""Turns a request into posts: shapes, rows, validation, and the job's database rows."""
