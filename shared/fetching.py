"""Reads a file from an address that a user gave, and from nowhere that it must not lead us to:
each address on the way is checked (see checked.py)."""

import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from shared import checked
from shared.errors import InvalidRequest, Transient

MAX_REDIRECTS = 5
CONNECT_SECONDS = 5.0
#: Without a byte for so long, a source is given up.
STALL_SECONDS = 30.0
#: A source that always sends a little is given up too.
TOTAL_SECONDS = 3600.0
CHUNK = 1024**2
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TIMEOUT = urllib3.Timeout(connect=CONNECT_SECONDS, read=STALL_SECONDS)


def read_url(url: str, *, allow_private: bool) -> Iterator[bytes]:
    """The bytes at `url`, in pieces.

    Raises `InvalidRequest` for an address that must not, or does not, give a file (for good), and
    `Transient` for one that may give it later.
    """
    for _ in range(MAX_REDIRECTS + 1):
        pool, reply = _get(url, allow_private=allow_private)
        with closing(pool), closing(reply):
            if reply.status not in _REDIRECTS:
                yield from _body(reply, url)
                return
            url = _followed(url, reply.headers.get("Location", ""))
    raise InvalidRequest(f"More than {MAX_REDIRECTS} redirects", code="unfetchable")


def _get(
    url: str, *, allow_private: bool
) -> tuple[urllib3.HTTPConnectionPool, urllib3.BaseHTTPResponse]:
    parts = checked.parts_of(url)
    pool = checked.pool_to(parts, allow_private=allow_private, timeout=_TIMEOUT)
    try:
        reply = pool.urlopen(
            "GET",
            checked.target_of(parts),
            headers=checked.headers_for(parts),
            redirect=False,
            retries=False,
            preload_content=False,
        )
    except HTTPError as error:
        pool.close()
        message = f"{parts.hostname} cannot be reached: {error}"
        raise Transient(message, code="unfetchable") from error
    return pool, reply


def _followed(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise InvalidRequest(checked.NO_ADDRESS, code="unfetchable") from error


def _body(reply: urllib3.BaseHTTPResponse, url: str) -> Iterator[bytes]:
    host = urlsplit(url).hostname
    if reply.status >= 500 or reply.status in {408, 425, 429}:
        raise Transient(f"{host} answered {reply.status}", code="unfetchable")
    if reply.status != 200:
        raise InvalidRequest(f"{host} answered {reply.status}", code="unfetchable")
    until = time.monotonic() + TOTAL_SECONDS
    try:
        while piece := reply.read1(CHUNK, decode_content=False):  # what is there, not all of it:
            yield piece  # else one that drips would keep us for a whole piece
            if time.monotonic() > until:
                raise Transient(f"{host} is too slow", code="unfetchable")
    except HTTPError as error:
        raise Transient(f"{host} broke off: {error}", code="unfetchable") from error
