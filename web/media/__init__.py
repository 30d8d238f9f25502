"""The media of a profile: listed, shown, sent back, deleted."""
