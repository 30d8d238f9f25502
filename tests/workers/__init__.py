"""Workers for tests: in this process, or children of their own that may be killed."""
