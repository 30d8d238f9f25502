"""Uploads over several requests: the protocol tus 1.0.0, and parts straight into a bucket."""
