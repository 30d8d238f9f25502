"""The shapes of requests and replies: what HTTP_API promises, as pydantic models."""
