"""What is promised to be fast, measured beside what a user would take instead: `make bench`."""
