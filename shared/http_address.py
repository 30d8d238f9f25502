"""Strict parsing of http(s) addresses: of Postiz, of media to fetch, of webhook receivers.

And of the hosts and networks in `PRESSROOM_ALLOWED_HOSTS`.

Only what all programs read in the same way is accepted; all else is refused with the reason. If two
programs read an address differently, one may check a host and the other call another.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import idna
from requests.utils import requote_uri

DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_PORT = re.compile(r"[0-9]{1,5}")
#: Hosts that are numbers: other forms of them (`127.1`, `0x7f000001`) are read differently by
#: different programs.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
#: Never part of an address; browsers correct or remove them.
_FORBIDDEN = '\\<>"'
#: The path at which Postiz is served: folders with plain names.
_FOLDERS = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*/?")


class MalformedAddress(ValueError):
    """Says what is wrong with an address, as a sentence without its subject."""


@dataclass(frozen=True, kw_only=True)
class HttpAddress:
    """`host`: ASCII, lower case, without brackets and final dot. `query`: with its ?"""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> str:
        """Scheme and host, and the port if it is not the default."""
        return f"{self.scheme}://{self.host_header}"

    @property
    def host_header(self) -> str:
        usual = self.port == DEFAULT_PORTS[self.scheme]
        return bracket_host(self.host) if usual else f"{bracket_host(self.host)}:{self.port}"

    @property
    def target(self) -> str:
        """The target in a request's first line."""
        return requote_uri((self.path or "/") + self.query)


@dataclass(frozen=True, kw_only=True)
class AllowedHost:
    """A name, or a network of addresses (one address is a network too). `port`: None for all."""

    host: str | ipaddress.IPv4Network | ipaddress.IPv6Network
    port: int | None = None


def bracket_host(host: str) -> str:
    """An IPv6 address needs brackets before a port."""
    return f"[{host}]" if ":" in host else host


def parse_http_address(text: str) -> HttpAddress:
    """Raises `MalformedAddress`. Spaces after the host are accepted, and quoted in `target`."""
    if not text.isprintable() or text != text.strip():
        raise MalformedAddress("must not contain control characters, or spaces at its ends")
    if any(character in _FORBIDDEN for character in text):
        raise MalformedAddress(f"must not contain any of {' '.join(_FORBIDDEN)}")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise MalformedAddress("must be an http(s) address") from error
    if parts.scheme not in DEFAULT_PORTS or not text[len(parts.scheme) :].startswith("://"):
        raise MalformedAddress("must be an http(s) address")
    if "@" in parts.netloc:
        raise MalformedAddress("must not contain a user name or password")
    if "#" in text:
        raise MalformedAddress("must not have a fragment (what follows #)")
    host, port = _host_and_port(parts)
    query = f"?{parts.query}" if parts.query else ""
    return HttpAddress(scheme=parts.scheme, host=host, port=port, path=parts.path, query=query)


def parse_postiz_address(text: str) -> HttpAddress:
    """The address of a Postiz; a bare host means https. Raises `MalformedAddress`."""
    text = text.strip(" ")
    if " " in text:
        raise MalformedAddress("must not contain spaces")
    address = parse_http_address(text if "://" in text else f"https://{text}")
    if "?" in text:
        raise MalformedAddress("must not have a query (what follows ?)")
    if not _FOLDERS.fullmatch(address.path):
        raise MalformedAddress("must have a path of plain names, such as /api/public/v1")
    return address


def parse_allowed_host(text: str) -> AllowedHost:
    """A network (`10.0.0.0/8`), or a host or an address with or without a port.

    Raises `MalformedAddress`.
    """
    network = _find_network(text)
    if network is not None:
        return AllowedHost(host=network)
    plain, over_tls = (parse_http_address(f"{scheme}://{text}") for scheme in DEFAULT_PORTS)
    if plain.path or plain.query:
        raise MalformedAddress("must be a host, host:port, an address, or a network")
    port = plain.port if plain.port == over_tls.port else None  # else it is only the default
    return AllowedHost(host=_find_network(plain.host) or plain.host, port=port)


def _find_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    host, colon, port = parts.netloc.rpartition(":")
    if not colon or port.endswith("]"):
        return _parse_host(parts.netloc), DEFAULT_PORTS[parts.scheme]
    if not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
        raise MalformedAddress("must have a port from 1 to 65535, or none")
    return _parse_host(host), int(port)


def _parse_host(text: str) -> str:
    if not text:
        raise MalformedAddress("must have a host")
    if text.startswith("["):
        return _parse_ipv6(text)
    host = _ascii_host(text).lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise MalformedAddress("must have a host of labels of 1 to 63 letters, digits, - and _")
    if _NUMBER.fullmatch(labels[-1]):
        return _parse_ipv4(host)
    return host


def _ascii_host(text: str) -> str:
    try:
        return text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise MalformedAddress("must have a host name that can exist") from error


def _parse_ipv4(host: str) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError as error:
        raise MalformedAddress("must have a host name, or an IP address of four numbers") from error


def _parse_ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise MalformedAddress("must have a host name or an IP address") from error
    if not text.endswith("]") or address.scope_id:
        raise MalformedAddress("must have a host name or an IP address")
    return str(address)
