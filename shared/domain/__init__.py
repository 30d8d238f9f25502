"""The rules, pure: no clock, no network, no database."""
