"""Reads the rest of a refused request's body, so that its sender gets to read the answer.

A connection that is closed on unread bytes is reset, and most clients then report a broken pipe
where the answer said what was wrong.
"""

import time

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

#: A refused body is read on for so long at most (seconds, bytes).
SECONDS = 30.0
BYTES = 2 * 1024**3
_PIECE = 1024**2


def install(app: Flask) -> None:
    app.after_request(_after)


def _after(response: Response) -> Response:
    chunked = request.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if response.status_code >= 400 and (request.content_length or chunked):
        drain()
    return response


def drain() -> None:
    request.max_content_length = None
    until = time.monotonic() + SECONDS
    left = BYTES
    while left > 0 and time.monotonic() < until:
        try:
            piece = request.stream.read(_PIECE)
        except (OSError, HTTPException):
            return  # the sender has gone: nobody will read the answer
        if not piece:
            return
        left -= len(piece)
