"""Approval: its endpoints, and the page on which people without a key approve posts."""
