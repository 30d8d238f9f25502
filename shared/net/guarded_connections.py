"""Connections that send nothing outside of a `Call`, and ask before the first byte.

All HTTP to servers of others uses them: Postiz, the sources of media, receivers of webhooks. The
question is asked in `send`, through which every byte of a request passes. So nothing gets around
it: no setting of the environment, no retry, no redirect, no other pool.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from shared.http_address import HttpAddress
from shared.net.connect_tunnel import Unreachable
from shared.net.outbound_route import Route

CONNECT_SECONDS = 3.0
#: Less than half of Node's limit: a connection that was idle for longer is not used again.
IDLE_SECONDS = 2.0
#: A file is read and sent in pieces of so many bytes. Each has the time for which a connection may
#: stall, so on the slowest line that is accepted a piece must get through within it.
PIECE = 256 * 1024
AGENT = "Pressroom"


class Forbidden(Exception):
    """A check refused the call; `__cause__` is what the check raised."""


class Call:
    """One request under way.

    `sent`: whether the other side may have seen any of it; True unless our connection knows better.
    """

    def __init__(
        self,
        *,
        total: float | None,
        stall: float,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.sent = True
        self.expired = False
        self._stall = stall
        self._check = check
        self._carrier: object | None = None
        self._sock: socket.socket | None = None
        self._own: socket.socket | None = None
        self._timer: threading.Timer | None = None
        if total:
            self.restart_timer(total)

    def restart_timer(self, total: float) -> None:
        """The call ends in `total` seconds from now, unless it has ended before."""
        if self._timer:
            self._timer.cancel()
        self._timer = threading.Timer(total, self._expire_call)
        self._timer.daemon = True
        self._timer.start()

    def begin(self, connection: object) -> None:
        """`connection` will carry this call, and has sent nothing of it yet."""
        if self._carrier is None:
            self._carrier, self.sent = connection, False
        elif self._carrier is not connection or self.sent:
            raise RuntimeError("a call is one request on one connection")

    def watch_connecting(self, sock: socket.socket) -> None:
        """TLS comes next and takes over the socket: a descriptor of our own can still end it."""
        self._require_time()
        self._close_own()
        self._own = sock.dup()

    def before_send(self, connection: object, sock: socket.socket) -> None:
        """The connection is ready: check a last time whether the call may be made."""
        if self.sent and self._carrier is connection:
            return  # this is the rest of the same request
        self.begin(connection)
        self._sock = sock
        try:
            self._check()
        except Exception as error:
            raise Forbidden from error
        self._require_time()
        sock.settimeout(self._stall)
        self.sent = True

    def _require_time(self) -> None:
        if self.expired:
            raise Unreachable("the time for this call was over before it was sent")

    def _expire_call(self) -> None:
        self.expired = True
        sock = self._sock or self._own
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # the other side, or the end of the call, closed it first

    def end(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._close_own()

    def _close_own(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.close()


_CALL: ContextVar[Call] = ContextVar("call")


@contextmanager
def under_way(call: Call) -> Iterator[Call]:
    """Requests that are sent inside this block belong to `call`."""
    token = _CALL.set(call)
    try:
        yield call
    finally:
        call.end()
        _CALL.reset(token)


def _current_call() -> Call:
    try:
        return _CALL.get()
    except LookupError:
        raise RuntimeError("nothing is sent outside of a Call") from None


class _Guarded(HTTPConnection):
    """The common part of both kinds of connections; mixed in before a class of urllib3."""

    def __init__(self, *args: Any, route: Route, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._route = route
        self.idle_since: float | None = None

    def close_if_stale(self) -> None:
        """The other side may be closing it just now; the next request opens a new one."""
        if self.idle_since is not None and time.monotonic() - self.idle_since > IDLE_SECONDS:
            self.close()
        self.idle_since = None

    def _new_conn(self) -> socket.socket:
        call = _current_call()
        call.begin(self)
        scheme = "https" if isinstance(self, HTTPSConnection) else "http"
        return self._route.connect(
            scheme,
            self.host,
            self.port,
            seconds=CONNECT_SECONDS,
            opened=call.watch_connecting,
        )

    def request(self, *args: Any, **kwargs: Any) -> None:
        _current_call().begin(self)
        super().request(*args, **kwargs)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        assert self.sock is not None  # connect() has set it
        _current_call().before_send(self, self.sock)
        super().send(data)


class _GuardedTLS(_Guarded, HTTPSConnection):
    """Over TLS."""


class _FreshPool(HTTPConnectionPool):
    """The common part of both kinds of pools: each connection knows how long it was idle."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)
        if isinstance(connection, _Guarded):
            connection.close_if_stale()
        return connection

    def _put_conn(self, conn: Any) -> None:
        if isinstance(conn, _Guarded):
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)


class Pool(_FreshPool):
    ConnectionCls = _Guarded


class TLSPool(_FreshPool, HTTPSConnectionPool):
    ConnectionCls = _GuardedTLS


def pool_to(
    address: HttpAddress, route: Route, *, maxsize: int = 1, timeout: urllib3.Timeout | None = None
) -> HTTPConnectionPool:
    """Connections to the address's host; TLS checks the certificate for its name."""
    options: dict[str, Any] = {"maxsize": maxsize, "timeout": timeout, "route": route}
    options["blocksize"] = PIECE
    if address.scheme == "http":
        return Pool(address.host, address.port, **options)
    return TLSPool(address.host, address.port, ssl_context=route.tls_context(), **options)


def headers_for(address: HttpAddress) -> dict[str, str]:
    return {
        "Host": address.host_header,
        "Accept-Encoding": "identity",
        "User-Agent": AGENT,
    }
