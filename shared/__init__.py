"""What web and worker have in common: the rows, the rules, and the way to Postiz."""
