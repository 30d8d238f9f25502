"""What web and worker share: the models, the rules, and the access to Postiz."""
