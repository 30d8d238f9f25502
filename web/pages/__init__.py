"""The pages for people who are signed in: what needs them, jobs, posts and channels."""
