"""What a person needs to know first: what needs them, and what goes out next."""
