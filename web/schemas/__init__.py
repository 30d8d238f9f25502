"""The shapes of requests and replies, as pydantic models; `/openapi.json` is made from them."""
