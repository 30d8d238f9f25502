"""The life of a post: its states, batches and budget, and what Postiz's answers mean for it."""
