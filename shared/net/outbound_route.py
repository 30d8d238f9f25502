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
from shared.http_address import HttpAddress, MalformedAddress, parse_http_address
from shared.net import address_policy
from shared.net.connect_tunnel import Unreachable, open_tunnel

PRIVATE = "private_address"
PROXY_NEEDS_HTTPS = "proxy_needs_https"
_DEFAULT_PROXY_PORT = 80
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
    """`ca`: certificates in PEM that are trusted besides the public ones."""

    allow_private: bool
    proxy: Proxy | None = None
    ca: str | None = field(default=None, repr=False)

    @classmethod
    def from_settings(cls, settings: Settings) -> "Route":
        proxy_url = settings.proxy_url.get_secret_value() if settings.proxy_url else None
        return cls(
            allow_private=settings.allow_private_urls,
            proxy=Proxy.parse(proxy_url) if proxy_url else None,
            ca=settings.ca,
        )

    def require_allowed(self, scheme: str, host: str, port: int) -> None:
        """Raise `Unreachable` for a host that we may not call; an unresolvable name passes."""
        self._require_tunnel(scheme, host)
        if not self.allow_private:
            self._require_public(host, address_policy.resolve_host(host, port))

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

        If there is a proxy, it is asked for the IP that was checked; if private addresses are
        allowed, nothing is checked and it is asked for the name. `opened` is called with each
        socket at once.
        """
        failure = Unreachable(f"{host} does not resolve")
        for target in self._resolve_targets(scheme, host, port):
            try:
                return self._connect_to(target, port, seconds, opened)
            except Unreachable as error:
                failure = error
        raise failure

    def tls_context(self) -> ssl.SSLContext:
        return _tls_context(self.ca)

    def _resolve_targets(self, scheme: str, host: str, port: int) -> list[str]:
        self._require_tunnel(scheme, host)
        if self.proxy and self.allow_private:
            return [host]
        found = list(dict.fromkeys(address_policy.resolve_host(host, port)))
        if not self.allow_private:
            self._require_public(host, found)
        return found

    def _require_tunnel(self, scheme: str, host: str) -> None:
        if self.proxy and scheme != "https":
            raise Unreachable(
                "PRESSROOM_PROXY_URL is set, and a proxy is used for https addresses only: "
                f"{scheme}://{host} is not called. Give it an https address, or unset the proxy",
                code=PROXY_NEEDS_HTTPS,
            )

    def _require_public(self, host: str, found: list[str]) -> None:
        private = [ip for ip in found if not address_policy.is_public(ip)]
        if private:
            raise Unreachable(
                f"{host} is the private address {private[0]}; "
                "set PRESSROOM_ALLOW_PRIVATE_URLS=1 to allow this",
                code=PRIVATE,
            )

    def _connect_to(
        self, target: str, port: int, seconds: float, opened: Callable[[socket.socket], None]
    ) -> socket.socket:
        first = (self.proxy.host, self.proxy.port) if self.proxy else (target, port)
        try:
            sock = create_connection(first, seconds, socket_options=_NO_DELAY)
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


def require_address(
    url: str, parse: Callable[[str], HttpAddress] = parse_http_address
) -> HttpAddress:
    """The parsed address. Raises `InvalidRequest` if it is malformed."""
    try:
        return parse(url)
    except MalformedAddress as error:
        raise InvalidRequest(f"an address {error}", code="malformed_address") from error


def require_allowed(address: HttpAddress, route: Route) -> None:
    """Raise `InvalidRequest` for an address that we may not call.

    A name that does not resolve now passes: the call itself will fail.
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
