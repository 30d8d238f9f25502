"""Downloads a file from an address that a user gave.

Each address is checked, redirects too, so that none leads us where we may not go (see
outbound_route.py).
"""

import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urldefrag, urljoin

import urllib3
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError

from shared.errors import InvalidRequest, Transient
from shared.http_address import HttpAddress, MalformedAddress, parse_http_address
from shared.net.connect_tunnel import Unreachable
from shared.net.guarded_connections import CONNECT_SECONDS, Call, headers_for, pool_to, under_way
from shared.net.outbound_route import PRIVATE, Route

MAX_REDIRECTS = 5
#: To connect, and to get the head of the reply.
HEAD_SECONDS = 60.0
#: A source that sends nothing for this long is given up.
STALL_SECONDS = 30.0
#: So is a source that is still sending after this long,
TOTAL_SECONDS = 3600.0
#: or takes longer than this for so many bytes: less than 16 KiB a second.
PACE_SECONDS = 20.0
PACE_BYTES = 320 * 1024
CHUNK = 1024**2
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TIMEOUT = urllib3.Timeout(connect=CONNECT_SECONDS, read=STALL_SECONDS)


def read_url(url: str, route: Route) -> Iterator[bytes]:
    """The bytes at `url`, in pieces.

    Raises `InvalidRequest` if the address may not be called or will never give a file, and
    `Transient` if it may give the file later.
    """
    for _ in range(MAX_REDIRECTS + 1):
        address = _parse_address(url)
        call = Call(total=HEAD_SECONDS, stall=STALL_SECONDS)
        pool, reply = _send_get(address, route, call)
        with closing(pool), closing(reply):
            if reply.status not in _REDIRECTS:
                yield from _read_body(reply, address.host, call)
                return
            url = _resolve_redirect(url, reply.headers.get("Location", ""))
    raise InvalidRequest(f"More than {MAX_REDIRECTS} redirects", code="unfetchable")


def _parse_address(url: str) -> HttpAddress:
    try:
        return parse_http_address(url)
    except MalformedAddress as error:
        message = f"It is, or leads to, an address that {error}"
        raise InvalidRequest(message, code="unfetchable") from error


def _send_get(
    address: HttpAddress, route: Route, call: Call
) -> tuple[HTTPConnectionPool, urllib3.BaseHTTPResponse]:
    pool = pool_to(address, route)
    try:
        with under_way(call):
            reply = pool.urlopen(
                "GET",
                address.target,
                headers=headers_for(address),
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=_TIMEOUT,
            )
    except Unreachable as error:
        pool.close()
        if error.code == PRIVATE:
            raise InvalidRequest(str(error), code=error.code) from error
        raise Transient(f"{address.host} cannot be reached: {error}", code="unfetchable") from error
    except HTTPError as error:
        pool.close()
        raise Transient(f"{address.host} cannot be reached: {error}", code="unfetchable") from error
    return pool, reply


def _resolve_redirect(url: str, location: str) -> str:
    try:
        return urldefrag(urljoin(url, location)).url
    except ValueError as error:
        raise InvalidRequest("It redirects to a malformed address", code="unfetchable") from error


def _read_body(reply: urllib3.BaseHTTPResponse, host: str, call: Call) -> Iterator[bytes]:
    if reply.status >= 500 or reply.status in {408, 425, 429}:
        raise Transient(f"{host} answered {reply.status}", code="unfetchable")
    if reply.status != 200:
        raise InvalidRequest(f"{host} answered {reply.status}", code="unfetchable")
    try:
        yield from _read_at_pace(reply, call)
    except HTTPError as error:
        if not call.expired:
            reason = f"{host} ended the connection: {error}"
            raise Transient(reason, code="unfetchable") from error
    finally:
        call.end()
    if call.expired:  # where a reply names no length, our end of it looks like its own
        raise Transient(f"{host} is too slow", code="unfetchable")


def _read_at_pace(reply: urllib3.BaseHTTPResponse, call: Call) -> Iterator[bytes]:
    """Until the end, or until the call has expired, which ends the connection.

    A timer does it: a read can wait for long without giving us anything, as for the length of a
    chunk. The caller's own time with a piece does not count.
    """
    ends = time.monotonic() + TOTAL_SECONDS
    left, arrived = PACE_SECONDS, 0
    while not call.expired:
        began = time.monotonic()
        call.restart_timer(max(0.0, min(left, ends - began)))
        piece = reply.read1(CHUNK, decode_content=False)  # only what has arrived
        call.end()
        if not piece:
            return
        left, arrived = left - (time.monotonic() - began), arrived + len(piece)
        if arrived >= PACE_BYTES:
            left, arrived = PACE_SECONDS, 0
        yield piece
