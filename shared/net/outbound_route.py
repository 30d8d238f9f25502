"""The way out of this machine: allowed addresses, the proxy, and trusted certificates.

Each host is resolved once, all its addresses are checked, and the connection goes to the IP that
was checked. So a name that resolves differently the second time gains nothing.
"""

import base64
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote, urlsplit

import certifi
from urllib3.util.connection import create_connection
from urllib3.util.ssl_ import create_urllib3_context

from shared import redaction
from shared.config import Settings
from shared.errors import InvalidRequest
from shared.http_address import AllowedHost, HttpAddress, MalformedAddress, parse_http_address
from shared.net import address_policy
from shared.net.connect_tunnel import Unreachable, open_tunnel

PRIVATE = "private_address"
PROXY_NEEDS_HTTPS = "proxy_needs_https"
UNRESOLVED = "unresolved_host"
_DEFAULT_PROXY_PORT = 80
#: A host with many addresses that do not answer must not keep a call for long.
MOST_TRIED = 4
_NO_DELAY: list[tuple[int, int, int | bytes]] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """Opens tunnels by CONNECT. `authorization`: for the proxy's own header, None if not needed."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Proxy":
        """From a URL that the settings have checked."""
        parts = urlsplit(url)
        authorization = None
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            encoded = base64.b64encode(login.encode()).decode("ascii")
            redaction.remember_secret(encoded)
            authorization = f"Basic {encoded}"
        return cls(
            host=parts.hostname or "",
            port=parts.port or _DEFAULT_PROXY_PORT,
            authorization=authorization,
        )


@dataclass(frozen=True, kw_only=True)
class Route:
    """`allowed`: what may be called although its addresses are not public; `allow_private`: all.

    `ca`: certificates in PEM that are trusted besides the public ones.
    """

    allow_private: bool = False
    allowed: tuple[AllowedHost, ...] = ()
    proxy: Proxy | None = None
    ca: str | None = field(default=None, repr=False)

    @classmethod
    def from_settings(cls, settings: Settings) -> "Route":
        proxy_url = settings.proxy_url.get_secret_value() if settings.proxy_url else None
        return cls(
            allow_private=settings.allow_private_urls,
            allowed=settings.allowed_hosts,
            proxy=Proxy.parse(proxy_url) if proxy_url else None,
            ca=settings.ca,
        )

    def require_allowed(self, scheme: str, host: str, port: int) -> None:
        """Raise `Unreachable` for a host that we may not call, or that does not resolve.

        Where everything is allowed, nothing is looked up.
        """
        self._require_tunnel(scheme, host)
        if not self.allow_private:
            self._find_targets(host, port)

    def connect(
        self,
        scheme: str,
        host: str,
        port: int,
        *,
        seconds: float,
        opened: Callable[[socket.socket], None],
    ) -> socket.socket:
        """A connection to the host, before any TLS. Raises `Unreachable`, and nothing else.

        If there is a proxy, it is asked for the IP that was checked, or for the name where there is
        nothing to check. `opened` is called with each socket at once.
        """
        self._require_tunnel(scheme, host)
        failure: Unreachable | None = None
        for target in self._find_targets(host, port)[:MOST_TRIED]:
            try:
                return self._connect_to(target, port, seconds, opened)
            except Unreachable as error:
                failure = error
        assert failure is not None  # there is at least one target
        raise failure

    def tls_context(self) -> ssl.SSLContext:
        return _tls_context(self.ca)

    def _find_targets(self, host: str, port: int) -> list[str]:
        """What to connect to: checked IPs, or the name for a proxy to resolve.

        The operator answers for a host that is allowed by its name: its addresses are not checked.
        """
        vouched = self.allow_private or address_policy.is_allowed_name(host, port, self.allowed)
        if self.proxy and vouched:
            return [host]
        found = address_policy.resolve_host(host, port)
        if not found:
            raise Unreachable(f"{host} does not resolve", code=UNRESOLVED)
        if not vouched:
            self._require_callable(host, port, found)
        return found

    def _require_tunnel(self, scheme: str, host: str) -> None:
        if self.proxy and scheme != "https":
            raise Unreachable(
                "PRESSROOM_PROXY_URL is set, and a proxy is used for https addresses only: "
                f"{scheme}://{host} is not called. Give it an https address, or unset the proxy",
                code=PROXY_NEEDS_HTTPS,
            )

    def _require_callable(self, host: str, port: int, found: list[str]) -> None:
        for ip in found:
            if not (
                address_policy.is_public(ip)
                or address_policy.is_allowed_address(ip, port, self.allowed)
            ):
                raise Unreachable(
                    f"{host} is the private address {ip}; "
                    "only PRESSROOM_ALLOWED_HOSTS can allow it",
                    code=PRIVATE,
                )

    def _connect_to(
        self, target: str, port: int, seconds: float, opened: Callable[[socket.socket], None]
    ) -> socket.socket:
        try:
            sock = self._open_socket(target, port, seconds)
        except OSError as error:
            prefix = "the proxy (PRESSROOM_PROXY_URL): " if self.proxy else ""
            raise Unreachable(prefix + _in_words(error)) from error
        try:
            opened(sock)
            if self.proxy:
                open_tunnel(sock, target, port, self.proxy.authorization)
        except BaseException:
            with suppress(OSError):
                sock.close()
            raise
        return sock

    def _open_socket(self, ip: str, port: int, seconds: float) -> socket.socket:
        """To the proxy, or else to the IP itself: nothing is looked up a second time."""
        if self.proxy:
            place = (self.proxy.host, self.proxy.port)
            return create_connection(place, seconds, socket_options=_NO_DELAY)
        sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
        try:
            for option in _NO_DELAY:
                sock.setsockopt(*option)
            sock.settimeout(seconds)
            sock.connect((ip, port))
        except BaseException:
            sock.close()
            raise
        return sock


def require_address(
    url: str, parse: Callable[[str], HttpAddress] = parse_http_address
) -> HttpAddress:
    """The parsed address. Raises `InvalidRequest` if it is malformed."""
    try:
        return parse(url)
    except MalformedAddress as error:
        raise InvalidRequest(f"an address {error}", code="malformed_address") from error


def require_allowed(address: HttpAddress, route: Route) -> None:
    """Raise `InvalidRequest` for an address that we may not call, or that does not resolve.

    For what a user gives. Each call checks again by itself, when it connects.
    """
    try:
        route.require_allowed(address.scheme, address.host, address.port)
    except Unreachable as error:
        raise InvalidRequest(str(error), code=error.code) from error


@lru_cache(maxsize=8)
def _tls_context(ca: str | None) -> ssl.SSLContext:
    """Made once: reading all public certificates takes milliseconds."""
    context = create_urllib3_context()
    context.load_verify_locations(certifi.where())
    if ca:
        context.load_verify_locations(cadata=ca)
    return context


def _in_words(error: OSError) -> str:
    match error:
        case ConnectionRefusedError():
            return "the connection was refused"
        case TimeoutError():
            return "no connection in time"
        case _:
            return f"no connection: {error.strerror or error}"
