"""Mutation testing: whether the fast tests notice a change of what they test."""
