"""Approvals: what a person decides about posts that wait for it, and links to decide with."""
