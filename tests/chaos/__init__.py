"""The chaos suite: everything that can go wrong, and an audit of what came of it."""
