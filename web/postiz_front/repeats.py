"""Tells a client without `Idempotency-Key` that its body came before, and makes posts once more.

It is advice only, so it is kept in Valkey, and nothing depends on it.
"""

import hashlib
from contextlib import suppress

import redis
from flask import Response, request

from web.auth import current_caller
from web.http_layer.idempotency import HEADER
from web.services import current_services

SECONDS = 600
REPEAT_OF, WARNING = "Pressroom-Repeat-Of", "Pressroom-Warning"
_NAME = "pressroom.front.body"


def mark_repeat(response: Response, content: str) -> None:
    """`response`: of a call that made a job. Its headers say which one had the same body."""
    made = response.headers.get("Location")
    if made is None or HEADER in request.headers:
        return
    digest = hashlib.sha256(content.encode()).hexdigest()
    name = f"{_NAME}:{current_caller().reference}:{digest}"
    earlier = None
    with suppress(redis.RedisError):
        earlier = current_services().broker.set(name, made, ex=SECONDS, get=True)
    if isinstance(earlier, bytes):
        response.headers[REPEAT_OF] = earlier.decode("ascii", "replace")
        response.headers[WARNING] = (
            "The same body came less than 10 minutes ago, and has made posts of its own both "
            f"times. Send an {HEADER} to get the first answer again"
        )
