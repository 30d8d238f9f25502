"""HTTP as publishing needs it: a total time-out, and a last question before the first byte.

`requests` times each socket operation, not the whole call; reuses connections that the other side
may be closing (Node gives up idle ones after 5 s); and cannot tell whether a byte was sent. All
three matter to an API that cannot repeat a call, so they are settled here, below every caller.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

CONNECT_SECONDS = 3.0
#: Half of what Node leaves an idle connection, and more: one that rested longer is not used again.
IDLE_SECONDS = 2.0


class Call:
    """One request under way. `sent`: whether the other side may have seen any of it."""

    def __init__(
        self,
        *,
        total: float | None,
        stall: float,
        checks: Sequence[Callable[[], None] | None],
    ) -> None:
        self.sent = False
        self.expired = False
        self._stall = stall
        self._checks = checks
        self._sock: socket.socket | None = None
        self._own: socket.socket | None = None
        self._timer = threading.Timer(total, self._expire) if total else None
        if self._timer:
            self._timer.daemon = True
            self._timer.start()

    def connecting(self, sock: socket.socket) -> None:
        """TLS comes next, and takes the socket over: what ends it is a descriptor of our own."""
        self._let_go()
        self._own = sock.dup()

    def before_send(self, sock: socket.socket) -> None:
        """The connection stands: ask a last time whether the call may be made."""
        self._sock = sock
        for check in self._checks:
            if check:
                check()
        if self.expired:
            raise TimeoutError("the time for this call was over before it was sent")
        sock.settimeout(self._stall)
        self.sent = True

    def _expire(self) -> None:
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
        self._let_go()

    def _let_go(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.close()


_CALL: ContextVar[Call | None] = ContextVar("call", default=None)


@contextmanager
def under_way(call: Call) -> Iterator[Call]:
    """What is sent meanwhile, on connections of `Pool` and `TLSPool`, is this call."""
    token = _CALL.set(call)
    try:
        yield call
    finally:
        call.end()
        _CALL.reset(token)


def _noted(sock: socket.socket) -> socket.socket:
    if (call := _CALL.get()) is not None:
        call.connecting(sock)
    return sock


class _AskingConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _noted(super()._new_conn())

    def request(self, *args: Any, **kwargs: Any) -> None:
        _ask(self)
        super().request(*args, **kwargs)


class _AskingTLSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _noted(super()._new_conn())

    def request(self, *args: Any, **kwargs: Any) -> None:
        _ask(self)
        super().request(*args, **kwargs)


def _ask(connection: HTTPConnection) -> None:
    if connection.sock is None:
        connection.connect()
    call = _CALL.get()
    if call is not None and connection.sock is not None:
        call.before_send(connection.sock)


class Pool(HTTPConnectionPool):
    ConnectionCls = _AskingConnection


class TLSPool(HTTPSConnectionPool):
    ConnectionCls = _AskingTLSConnection


class _Adapter(HTTPAdapter):
    """No retries of any kind, and connections that ask before they send."""

    def __init__(self) -> None:
        super().__init__(max_retries=0, pool_connections=2, pool_maxsize=8)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {"http": Pool, "https": TLSPool}


class Transport:
    """A `requests` session that follows no redirect and asks `check` before each call.

    Thread-safe. `check` raises to forbid the call; then nothing was sent.
    """

    def __init__(
        self, auth: requests.auth.AuthBase, *, check: Callable[[], None] = lambda: None
    ) -> None:
        self._session = requests.Session()
        self._session.auth = auth  # and so a .netrc never overrides it
        self._session.mount("http://", _Adapter())
        self._session.mount("https://", _Adapter())
        self._check = check
        self._used_at = time.monotonic()

    def request(
        self,
        method: str,
        url: str,
        *,
        total: float | None,
        stall: float,
        check: Callable[[], None] | None = None,
        **kwargs: Any,
    ) -> requests.Response:
        """The reply, read to its end. `total` and `stall`: seconds in all, and without progress.

        `check` is asked besides the transport's own, for this call alone.

        Raises `NotSent` when certainly nothing left, `Broken` when it may have, and whatever
        `check` raises.
        """
        if time.monotonic() - self._used_at > IDLE_SECONDS:
            self.drop_connections()
        call = Call(total=total, stall=stall, checks=(self._check, check))
        try:
            with under_way(call):
                return self._session.request(
                    method,
                    url,
                    timeout=(CONNECT_SECONDS, stall),
                    allow_redirects=False,
                    **kwargs,
                )
        except (requests.RequestException, OSError) as error:
            raise (Broken if call.sent else NotSent)(_in_words(error, call)) from error
        finally:
            self._used_at = time.monotonic()

    def drop_connections(self) -> None:
        for adapter in self._session.adapters.values():
            adapter.close()

    def close(self) -> None:
        self._session.close()


class NotSent(Exception):
    """No byte of the request left: nothing can have happened."""


class Broken(Exception):
    """The request left, wholly or in part, and no whole reply came back."""


def _in_words(error: Exception, call: Call) -> str:  # noqa: PLR0911 (a table)
    if call.expired:
        return "no answer in time"
    match error:
        case requests.ConnectTimeout():
            return "no connection in time"
        case requests.Timeout() | TimeoutError():
            return "no answer in time"
        case requests.exceptions.SSLError():
            return f"TLS failed: {getattr(error.args[0], 'reason', error)}"
        case requests.exceptions.ProxyError():
            return "the proxy did not let us through"
        case _ if call.sent:
            return "the connection broke"
        case _:
            return "the connection was refused"
