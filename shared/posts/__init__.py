"""Posts: state changes, lists, cancel and retry, due times, and the late policy."""
