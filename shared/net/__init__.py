"""Outgoing HTTP: which addresses may be called, by which route, with which last check."""
