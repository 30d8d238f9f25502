"""Reads a file from an address that a user gave, and from nowhere that it must not lead us to.

Each address on the way is resolved once, checked, and connected to by the very IP that was checked,
so that a name which resolves differently the second time gains nothing.
"""

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import SplitResult, urljoin, urlsplit

import certifi
import urllib3
from requests.utils import requote_uri
from urllib3.exceptions import HTTPError

from shared import addresses
from shared.errors import InvalidRequest, Transient

MAX_REDIRECTS = 5
AGENT = "Pressroom"
_NO_ADDRESS = "It is, or leads to, no http(s) address"
CONNECT_SECONDS = 5.0
#: Without a byte for so long, a source is given up.
STALL_SECONDS = 30.0
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
    parts = _parts(url)
    pool = _pool_to(_checked_ip(parts, allow_private=allow_private), parts)
    target = requote_uri((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    headers = {"Host": _host_header(parts), "Accept-Encoding": "identity", "User-Agent": AGENT}
    try:
        reply = pool.urlopen(
            "GET", target, headers=headers, redirect=False, retries=False, preload_content=False
        )
    except HTTPError as error:
        pool.close()
        message = f"{parts.hostname} cannot be reached: {error}"
        raise Transient(message, code="unfetchable") from error
    return pool, reply


def _parts(url: str) -> SplitResult:
    """Raises `InvalidRequest` for what is no http(s) address, or has a name that cannot be one."""
    try:
        addresses.require_http_url(url)
        parts = urlsplit(url)
        _ascii_host(parts)
    except ValueError as error:
        raise InvalidRequest(_NO_ADDRESS, code="unfetchable") from error
    return parts


def _followed(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise InvalidRequest(_NO_ADDRESS, code="unfetchable") from error


def _ascii_host(parts: SplitResult) -> str:
    return (parts.hostname or "").encode("idna").decode("ascii")


def _host_header(parts: SplitResult) -> str:
    host = _ascii_host(parts)
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port}" if parts.port else host


def _checked_ip(parts: SplitResult, *, allow_private: bool) -> str:
    """An address of the host, when all of them are allowed."""
    found = addresses.resolve(parts.hostname or "", _port(parts))
    if not found:
        raise Transient(f"{parts.hostname} does not resolve", code="unfetchable")
    private = [] if allow_private else [ip for ip in found if not addresses.is_public(ip)]
    if private:
        raise InvalidRequest(
            f"{parts.hostname} is the private address {private[0]}", code="private_address"
        )
    return found[0]


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _pool_to(ip: str, parts: SplitResult) -> urllib3.HTTPConnectionPool:
    """To `ip`, with the certificate checked against the name in the address."""
    if parts.scheme == "http":
        return urllib3.HTTPConnectionPool(ip, _port(parts), timeout=_TIMEOUT)
    return urllib3.HTTPSConnectionPool(
        ip,
        _port(parts),
        timeout=_TIMEOUT,
        cert_reqs="CERT_REQUIRED",
        ca_certs=certifi.where(),
        server_hostname=_ascii_host(parts),
        assert_hostname=_ascii_host(parts),
    )


def _body(reply: urllib3.BaseHTTPResponse, url: str) -> Iterator[bytes]:
    host = urlsplit(url).hostname
    if reply.status >= 500 or reply.status in {408, 425, 429}:
        raise Transient(f"{host} answered {reply.status}", code="unfetchable")
    if reply.status != 200:
        raise InvalidRequest(f"{host} answered {reply.status}", code="unfetchable")
    try:
        yield from reply.stream(CHUNK, decode_content=False)
    except HTTPError as error:
        raise Transient(f"{host} broke off: {error}", code="unfetchable") from error
