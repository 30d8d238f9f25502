"""From request bodies, CSV and Postiz's live answers to validated input."""
