"""Which addresses we may call: public ones, unless private ones are allowed."""

import ipaddress
import socket


def resolve_host(host: str, port: int) -> list[str]:
    """The IP addresses of `host`; empty for a name that does not exist."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):  # the name does not exist, or is not a valid name
        return []
    return [str(entry[4][0]) for entry in found]


def is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_global and not ip.is_multicast
