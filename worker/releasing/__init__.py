"""Release: lets Postiz publish due drafts, with one status change for each."""
