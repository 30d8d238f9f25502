"""Posts: state changes, lists, cancel and retry, occupancy, and the late policy."""
