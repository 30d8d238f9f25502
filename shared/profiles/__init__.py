"""Profiles: their settings, deletion, accounts, and the publishers built from them."""
