"""Bodies that the sender does not finish, or that we refuse before their end.

A sender that disappears would hold a thread and half a file for ever, so a body must not pause for
long. The rest of a refused body is read anyway: if a connection is closed with unread bytes, it is
reset, and most clients then report a broken pipe instead of our answer. But a thread that reads for
a slow sender cannot answer others. So only a few bodies are drained at the same time, and only
briefly if we refuse because of too many requests.
"""

import time

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from shared.errors import Unavailable
from web.services import current_services

#: A body that pauses for longer is given up (seconds).
STALL_SECONDS = 30.0
#: The most that is read of a refused body (seconds, bytes); BUSY_SECONDS after one of `_BUSY`.
DRAIN_SECONDS = 30.0
BUSY_SECONDS = 1.0
DRAIN_BYTES = 2 * 1024**3
_BUSY = frozenset({423, 429, 503})
_PIECE = 1024**2


def install(app: Flask) -> None:
    app.before_request(_limit_stalls)
    app.after_request(_drain_if_refused)


def _limit_stalls() -> None:
    sock = request.environ.get("gunicorn.socket")
    if sock is not None:
        sock.settimeout(STALL_SECONDS)


def _drain_if_refused(response: Response) -> Response:
    chunked = request.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if response.status_code >= 400 and (request.content_length or chunked):
        _drain_within_limit(BUSY_SECONDS if response.status_code in _BUSY else DRAIN_SECONDS)
    return response


def _drain_within_limit(seconds: float) -> None:
    try:
        with current_services().drains.place():
            _drain_body(seconds)
    except Unavailable:
        return  # no slot is free: answer without reading the rest


def _drain_body(seconds: float) -> None:
    request.max_content_length = None
    until = time.monotonic() + seconds
    sock = request.environ.get("gunicorn.socket")
    if sock is not None:
        sock.settimeout(min(seconds, STALL_SECONDS))
    bytes_left = DRAIN_BYTES
    while bytes_left > 0 and time.monotonic() < until:
        try:
            piece = request.stream.read(_PIECE)
        except (OSError, HTTPException):
            return  # the sender is gone: nobody will read the answer
        if not piece:
            return
        bytes_left -= len(piece)
