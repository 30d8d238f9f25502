"""Which addresses we may call: public ones, and those that the operator allows.

The networks are written out here, because `ipaddress.is_global` is not enough: its answers differ
between the versions of Python, and it takes addresses for public that lead to private ones through
a gateway (64:ff9b::/96, 2002::/16), and others that no public server has (fec0::/10, ::/96).
Source: IANA's registries of special-purpose addresses, and of global unicast IPv6 (2026-11-27).
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from shared.http_address import AllowedHost

_PRIVATE_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network; 0.0.0.0 is this machine
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared by a carrier's customers; 100.100.100.200: metadata (Alibaba)
            "127.0.0.0/8",
            "168.63.129.16/32",  # metadata (Azure), though of a public network
            "169.254.0.0/16",  # link-local; 169.254.169.254: metadata of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocols; 192.0.0.192: metadata (Oracle)
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # relays from IPv6, no longer used
            "192.168.0.0/16",
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
#: All public servers are here. Outside are loopback, unique local (fc00::/7, with the metadata of
#: AWS and Google), link-local, site-local, multicast, and gateways to IPv4.
_GLOBAL_V6 = IPv6Network("2000::/3")
_PRIVATE_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocols; 2001::/32: Teredo, a tunnel to IPv4
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, a tunnel to IPv4
            "3fff::/20",  # documentation
        ),
    )
)
#: NAT64: a gateway sends what it gets to the IPv4 address in the last 32 bits.
_NAT64 = IPv6Network("64:ff9b::/96")


def resolve_host(host: str, port: int) -> list[str]:
    """The IP addresses of `host`, each once; empty for a name that does not resolve now."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # no such name, no answer, or not a valid name
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    return _is_public(_parse_ip(address))


def is_allowed_name(host: str, port: int, allowed: Sequence[AllowedHost]) -> bool:
    """Whether the operator allows the host by its name, whatever its addresses are."""
    return any(entry.host == host and entry.port in {None, port} for entry in allowed)


def is_allowed_address(address: str, port: int, allowed: Sequence[AllowedHost]) -> bool:
    """Whether the operator allows an address that is not public.

    An address that leads to another one (through a gateway) is allowed only if that one is public
    or allowed too.
    """
    networks = [entry.host for entry in allowed if entry.port in {None, port}]
    ip = _parse_ip(address)
    target = _embedded_address(ip)
    reachable = target is None or _is_public(target) or _is_listed(target, networks)
    return reachable and _is_listed(ip, networks)


def _parse_ip(address: str) -> IPv4Address | IPv6Address:
    """IPv4 in the form of IPv6 (::ffff:10.0.0.1) is IPv4: so is the connection."""
    ip = ip_address(address.partition("%")[0])
    return getattr(ip, "ipv4_mapped", None) or ip


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _PRIVATE_V4)
    return ip in _GLOBAL_V6 and not any(ip in network for network in _PRIVATE_V6)


def _is_listed(ip: IPv4Address | IPv6Address, networks: Sequence[object]) -> bool:
    return any(
        isinstance(network, IPv4Network | IPv6Network) and ip in network for network in networks
    )


def _embedded_address(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(ip, IPv4Address):
        return None
    return IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip.sixtofour
