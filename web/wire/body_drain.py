"""Bodies that are not sent, or not read, to their end.

A sender that vanished without a word would hold a thread, and half a file, for ever: so a body may
not pause for long. And the rest of a refused body is read all the same: a connection that is closed
on unread bytes is reset, and most clients then report a broken pipe where the answer said what was
wrong. But only a few at once, and for moments where we have too much to do anyway: a thread that
reads on for a slow sender answers nobody else.
"""

import time

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from shared.errors import Unavailable
from web.services import current_services

#: Without a byte for so long, a body has broken off (seconds).
STALL_SECONDS = 30.0
#: A refused body is read on for so long at most (seconds, bytes).
DRAIN_SECONDS = 30.0
BUSY_SECONDS = 1.0
DRAIN_BYTES = 2 * 1024**3
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
        _drain_within_limit(BUSY_SECONDS if response.status_code == 503 else DRAIN_SECONDS)
    return response


def _drain_within_limit(seconds: float) -> None:
    try:
        with current_services().drains.place():
            _drain_body(seconds)
    except Unavailable:
        return  # whoever gets no place is answered without


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
            return  # the sender has gone: nobody will read the answer
        if not piece:
            return
        bytes_left -= len(piece)
