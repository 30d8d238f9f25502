"""People who sign in: the endpoints about them, and the pages that they meet."""
