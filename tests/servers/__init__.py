"""What a test runs or calls: the API, real servers, and stand-ins for those of others."""
