"""What is said to the API, and what it answers."""
