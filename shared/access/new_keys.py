"""New API keys."""

import secrets


def new_key() -> str:
    """A fresh key with 256 random bits, so that a fast hash is enough."""
    return f"pr_{secrets.token_urlsafe(32)}"
