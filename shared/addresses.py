"""Which addresses we may call: public ones, unless private ones are allowed."""

import ipaddress
import socket
from urllib.parse import urlsplit

from shared.errors import InvalidRequest


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of `host`, none for a name that does not exist."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return [str(entry[4][0]) for entry in found]


def is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_global and not ip.is_multicast


def require_http_url(url: str) -> None:
    """Raise `InvalidRequest` for what is not an absolute http(s) URL without a login in it."""
    parts = urlsplit(url)
    if parts.username or parts.password:  # first: no message may repeat it
        raise InvalidRequest("an address must not contain a user name or password")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidRequest(f"{url!r} is not an http(s) address")
    try:
        _ = parts.port
    except ValueError as error:
        raise InvalidRequest(f"{url!r} has a port that is no number") from error


def require_allowed(url: str, *, allow_private: bool) -> None:
    """Raise `InvalidRequest` when `url` is not http(s), or any address of its host is private.

    A name that does not resolve now passes: the call itself will tell.
    """
    require_http_url(url)
    if allow_private:
        return
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    private = [a for a in resolve(parts.hostname or "", port) if not is_public(a)]
    if private:
        raise InvalidRequest(
            f"{parts.hostname} is the private address {private[0]}; "
            "set PRESSROOM_ALLOW_PRIVATE_URLS=1 to allow this",
            code="private_address",
        )
