"""Who may see and change what: the keys of the HTTP API, and the profiles that they reach."""
