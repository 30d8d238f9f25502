"""Outgoing HTTP: which addresses may be called, over which route, with what last check."""
