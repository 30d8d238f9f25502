"""What several tests play: many bulks, big files, a crowd of accounts, a key that changes."""
