"""HTTP as publishing needs it: a total time limit, and a last check before the first byte.

`requests` limits each socket operation, not the whole call. It reuses connections that the other
side may be closing (Node closes idle ones after 5 s). It does not say whether a byte was sent, and
it takes proxies, passwords and certificates from the environment. All this matters for an API whose
calls cannot be repeated. So only the request and response classes of `requests` are used, with the
connections of guarded_connections.py.
"""

import threading
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ClosedPoolError, HTTPError, ReadTimeoutError

from shared.http_address import parse_http_address
from shared.net.bounded_body import MAX_BYTES, BodyTooLarge, read_body
from shared.net.connect_tunnel import Unreachable
from shared.net.guarded_connections import (
    AGENT,
    CONNECT_SECONDS,
    Call,
    Forbidden,
    pool_to,
    under_way,
)
from shared.net.outbound_route import Route

#: Connections that are kept to a server.
CONNECTIONS = 32
_HEADERS = {"User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}


class _Adapter(HTTPAdapter):
    """No retries, no proxy from the environment, and only guarded connections."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._pools: dict[tuple[str, str, int], HTTPConnectionPool] = {}
        self._lock = threading.Lock()
        super().__init__(max_retries=0)

    def init_poolmanager(self, *_: Any, **__: Any) -> None:
        """None: it would make connections of its own."""

    def proxy_manager_for(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("a proxy's pool would make connections of its own")

    def get_connection(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("only get_connection_with_tls_context gives guarded connections")

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_: Any, **__: Any
    ) -> HTTPConnectionPool:
        address = parse_http_address(request.url or "")
        place = (address.scheme, address.host, address.port)
        with self._lock:
            if place not in self._pools:
                self._pools[place] = pool_to(address, self._route, maxsize=CONNECTIONS)
            return self._pools[place]

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The pool's own TLS context decides which certificates are trusted."""

    def close(self) -> None:
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()


class Transport:
    """Follows no redirect, keeps no cookie, and calls `check` before each call. Thread-safe.

    `check` raises to forbid the call; then nothing was sent.
    """

    def __init__(
        self,
        auth: requests.auth.AuthBase,
        *,
        route: Route,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._auth = auth
        self._adapter = _Adapter(route)
        self._check = check

    def request(
        self,
        method: str,
        url: str,
        *,
        total: float | None,
        stall: float,
        last_check: Callable[[], None] | None = None,
        headers: dict[str, str] | None = None,
        most: int = MAX_BYTES,
        **kwargs: Any,
    ) -> requests.Response:
        """The reply, read to its end. `total` and `stall`: seconds in all, and without progress.

        `last_check` replaces `check` for this call: of two, the first answer would grow old while
        the second is asked for.
        `most`: bytes of the reply's body.

        Raises `NotSent` if certainly nothing was sent, `Broken` if something may have been
        (`TooLarge` if the reply was too large to be read), and whatever the check raises.
        """
        prepared = self._prepare_request(method, url, headers=headers or {}, **kwargs)
        return self.send(prepared, total=total, stall=stall, last_check=last_check, most=most)

    def send(
        self,
        prepared: requests.PreparedRequest,
        *,
        total: float | None,
        stall: float,
        last_check: Callable[[], None] | None = None,
        most: int = MAX_BYTES,
    ) -> requests.Response:
        """As `request`, for what somebody else has prepared."""
        call = Call(total=total, stall=stall, check=last_check or self._check)
        try:
            with under_way(call):
                reply = self._exchange(prepared, stall=stall, most=most)
        except Forbidden as refusal:
            raise _reason_of(refusal) from None
        except Exception as error:
            raise _failure_of(error, call) from error
        if call.expired:  # a reply that is cut off in its headers looks complete
            raise Broken("no answer in time")
        return reply

    def _exchange(
        self, prepared: requests.PreparedRequest, *, stall: float, most: int
    ) -> requests.Response:
        timeout = (CONNECT_SECONDS, stall)
        reply = self._adapter.send(prepared, stream=True, timeout=timeout)
        read_body(reply, most=most)
        return reply

    def _prepare_request(
        self, method: str, url: str, *, headers: dict[str, str], **kwargs: Any
    ) -> requests.PreparedRequest:
        headers = {**_HEADERS, **headers}
        request = requests.Request(method, url, headers=headers, auth=self._auth, **kwargs)
        try:
            parse_http_address(url)  # `requests` would decode a host that we refuse
            return request.prepare()
        except ValueError:  # its text may contain the key
            raise NotSent("its address or its key cannot be put into a request") from None

    def close(self) -> None:
        self._adapter.close()


class _Failed(Exception):
    """`code`: the kind of the reason, if it has one."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class NotSent(_Failed):
    """No byte of the request was sent: nothing can have happened."""


class Broken(_Failed):
    """The request was sent, or a part of it may have been, and no complete reply came back."""


class TooLarge(Broken):
    """The reply has more than was asked for, and was not read to its end."""


def _reason_of(refusal: Forbidden) -> BaseException:
    assert refusal.__cause__ is not None  # `Forbidden` is always raised from the reason
    return refusal.__cause__


def _failure_of(error: Exception, call: Call) -> _Failed:
    if isinstance(error, BodyTooLarge):
        return TooLarge(str(error))
    failed = Broken if call.sent and not _is_closed_pool(error) else NotSent
    code = error.code if isinstance(error, Unreachable) else None
    return failed(_in_words(error, call), code=code)


def _is_closed_pool(error: Exception) -> bool:
    """Another thread closed the pool before this call got a connection from it."""
    return isinstance(error, requests.ConnectionError) and isinstance(
        error.args[0], ClosedPoolError
    )


def _in_words(error: Exception, call: Call) -> str:
    if call.expired:
        return "no answer in time"
    match error:
        case Unreachable():
            return str(error)
        case requests.Timeout() | TimeoutError() | ReadTimeoutError():
            return "no answer in time" if call.sent else "no connection in time"
        case requests.exceptions.SSLError():
            return f"TLS failed: {getattr(error.args[0], 'reason', error)}"
        case requests.RequestException() | HTTPError() | OSError():
            return "the connection broke"
        case _:
            return f"the call broke off ({type(error).__name__})"  # its text may contain the key
