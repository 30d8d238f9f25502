"""The Postiz-compatible front: Postiz's own public API, answered by Pressroom."""
