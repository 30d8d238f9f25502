"""Media: received, recognised, stored, and requested for upload by accounts."""
