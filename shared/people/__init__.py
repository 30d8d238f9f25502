"""People who sign in: users, roles, passwords, sessions, and links that work once."""
