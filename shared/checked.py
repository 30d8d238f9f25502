"""Connections to addresses that a user gave, and to nowhere that these must not lead us to.

Each host is resolved once, all that it resolves to is checked, and the connection goes to the very
IP that was checked: a name that resolves differently the second time gains nothing.
"""

from urllib.parse import SplitResult, urlsplit

import certifi
import urllib3
from requests.utils import requote_uri

from shared import addresses
from shared.errors import InvalidRequest, Transient
from shared.transport import Pool, TLSPool

AGENT = "Pressroom"
NO_ADDRESS = "It is, or leads to, no http(s) address"


def parts_of(url: str) -> SplitResult:
    """Raises `InvalidRequest` for what is no http(s) address, or has a name that cannot be one."""
    try:
        addresses.require_http_url(url)
        parts = urlsplit(url)
        _ascii_host(parts)
    except ValueError as error:
        raise InvalidRequest(NO_ADDRESS, code="unfetchable") from error
    return parts


def pool_to(
    parts: SplitResult, *, allow_private: bool, timeout: urllib3.Timeout
) -> urllib3.HTTPConnectionPool:
    """To an address of the host, with the certificate checked against the host's name.

    Raises `InvalidRequest` where any of its addresses is private, `Transient` where it has none.
    """
    ip = _checked_ip(parts, allow_private=allow_private)
    if parts.scheme == "http":
        return Pool(ip, _port(parts), timeout=timeout)
    return TLSPool(
        ip,
        _port(parts),
        timeout=timeout,
        cert_reqs="CERT_REQUIRED",
        ca_certs=certifi.where(),
        server_hostname=_ascii_host(parts),
        assert_hostname=_ascii_host(parts),
    )


def target_of(parts: SplitResult) -> str:
    """What stands in the request's first line."""
    return requote_uri((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def headers_for(parts: SplitResult) -> dict[str, str]:
    return {"Host": _host_header(parts), "Accept-Encoding": "identity", "User-Agent": AGENT}


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
