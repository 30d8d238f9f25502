"""Profiles: their settings, their deletion, their account, and the publishers made of them."""
