"""Reads the body of a reply up to a limit: no server can make us hold more than that.

The limit is for the decoded body. We ask for one without compression, but a proxy may compress it
anyway; then it is decoded in pieces, so that a few bytes never become many at once.
"""

import re
from collections.abc import Iterator

import requests

#: The most that a body may have, decoded (bytes).
MAX_BYTES = 8 * 1024**2
_PIECE = 64 * 1024
#: A body in more pieces costs more time for its frames than for itself.
_MAX_PIECES = 20_000
_DIGITS = re.compile(r"[0-9]+")


class BodyTooLarge(Exception):
    """The reply has more than was asked for; nothing is known of what it says."""


def read_body(reply: requests.Response, *, most: int = MAX_BYTES) -> None:
    """Put the whole body into `reply.content`, at most `most` bytes.

    Raises `BodyTooLarge`, and what urllib3 raises for a connection that breaks, or for a body that
    cannot be decoded; then the connection is closed.
    """
    try:
        _check_length(reply, most)
        reply._content = b"".join(_read_pieces(reply, most))
    except BaseException:
        reply.close()
        raise
    reply._content_consumed = True  # type: ignore[attr-defined]


def _read_pieces(reply: requests.Response, most: int) -> Iterator[bytes]:
    size = 0
    for number, piece in enumerate(reply.raw.stream(_PIECE, decode_content=True)):
        size += len(piece)
        if size > most or number > _MAX_PIECES:
            raise _too_large(most)
        yield piece


def _check_length(reply: requests.Response, most: int) -> None:
    """By what the reply says of itself, before any of it is read."""
    length = reply.headers.get("Content-Length", "")
    if _DIGITS.fullmatch(length) and (len(length) > 18 or int(length) > most):
        raise _too_large(most)


def _too_large(most: int) -> BodyTooLarge:
    return BodyTooLarge(f"the answer has more than {most // 1024**2} MiB")
