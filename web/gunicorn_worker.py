"""gunicorn's threads, where no client costs the others their turn by being slow.

gunicorn 27 gives each connection a thread, which reads the request: some dozens of clients that
never finish their head take all threads. Here the main loop collects what comes, without waiting,
and a thread gets a request that is complete (`ArrivingRequest`), or whose body is long and has
slots of its own (web/concurrency_limits.py).

After an answer, gunicorn reads for up to 2 s from a client that still sends, such as one whose
upload was refused (RFC 9112, section 9.6). gunicorn 27 does this in its main loop, one client after
the other: thirty such clients delayed all others by half a minute. Here it has threads of its own.
"""

import selectors
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.http import errors as gunicorn_errors
from gunicorn.workers.gthread import TConn, ThreadWorker

from shared.log import get_logger
from web.arriving_request import ArrivingRequest, Progress
from web.http_layer.raw_problem import raw_problem
from web.paced_socket import PacedSocket

#: How many ending connections are read from at the same time.
ENDING = 8
#: How many requests may be arriving at once, and how many bytes of them are kept: beyond that, the
#: one that began first is given up.
MAX_ARRIVING = 500
MAX_ARRIVING_BYTES = 64 * 1024**2
#: How long a process that is told to stop waits for requests that are arriving (seconds).
STOP_SECONDS = 2.0
#: How long a thread waits for the rest of a body that was not read (seconds).
REST_SECONDS = 0.05
_PIECE = 64 * 1024
#: Has a thread of its own: whether the process is alive does not depend on how many others ask.
_LIVENESS = b"GET /health/live "
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_STATUS = {
    gunicorn_errors.LimitRequestLine: 414,
    gunicorn_errors.LimitRequestHeaders: 431,
    gunicorn_errors.ExpectationFailed: 417,
    gunicorn_errors.UnsupportedTransferCoding: 501,
}

log = get_logger("web")


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn brings no types
    def init_process(self) -> None:  # after the fork; ends with the process
        self._liveness = ThreadPoolExecutor(1, thread_name_prefix="liveness")
        self._ending = ThreadPoolExecutor(ENDING, thread_name_prefix="ending")
        self._arriving: dict[TConn, ArrivingRequest] = {}  #: the oldest first
        self._arriving_bytes = 0
        self._stops_at = float("inf")
        super().init_process()

    def enqueue_req(self, conn: TConn) -> None:
        """Collect the next request of the connection; gunicorn would give it a thread now."""
        if not isinstance(conn.sock, PacedSocket):
            conn.sock = PacedSocket(conn.sock)
        conn.sock.setblocking(False)
        begun = conn.parser.unreader.take_buffered() if conn.parser else b""
        self._arriving[conn] = ArrivingRequest(now=time.monotonic())
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._receive, conn))
        self._take(conn, begun)

    def murder_pending(self) -> None:
        """gunicorn's loop calls it each second: what takes too long to arrive is given up."""
        now = time.monotonic()
        if not self.alive:
            self._stops_at = min(self._stops_at, now + STOP_SECONDS)
        for conn, arriving in list(self._arriving.items()):
            if min(arriving.deadline, self._stops_at) <= now:
                self._give_up(conn)
        super().murder_pending()

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Whether the connection may be used again: not where the rest of a body would be read.

        gunicorn reads it for up to 5 s, in the thread; what the application reads of a refused
        body has slots of its own (web/http_layer/body_drain.py).
        """
        deadline = time.monotonic() + REST_SECONDS
        return keepalive and bool(conn.parser.finish_body(deadline=deadline))

    def finish_request(self, conn: TConn, fs: "Future[Any]") -> None:
        close = conn.close
        conn.close = partial(self._close_connection, close)
        super().finish_request(conn, fs)
        conn.close = close

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what gunicorn's parser refuses as every other problem is answered."""
        if isinstance(exc, gunicorn_errors.ParseException):
            status = next((code for kind, code in _STATUS.items() if isinstance(exc, kind)), 400)
            log.info("a malformed request", reason=type(exc).__name__)
        else:
            status = 500
            log.error("a request failed outside of the application", exc_info=exc)
        _send_now(client, raw_problem(status))

    def _receive(self, conn: TConn, _sock: Any) -> None:
        """In the main loop: nothing here may wait, or raise."""
        try:
            piece = conn.sock.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if piece:
            self._take(conn, piece)
        else:
            self._give_up(conn)

    def _take(self, conn: TConn, piece: bytes) -> None:
        arriving = self._arriving[conn]
        progress = arriving.take(piece)
        self._arriving_bytes += len(piece)
        if progress is Progress.READY:
            self._submit(conn)
        elif progress is Progress.TOO_LONG:
            _send_now(conn.sock, raw_problem(431))
            self._give_up(conn)
        else:
            if progress is Progress.EXPECTED:
                _send_now(conn.sock, _CONTINUE)
            self._limit_arriving()

    def _submit(self, conn: TConn) -> None:
        content = self._forget(conn).content
        conn.init()  # makes its parser
        conn.parser.unreader.unread(content)
        conn.sock.begin_request()
        pool = self._liveness if content.startswith(_LIVENESS) else self.tpool
        answered = pool.submit(self.handle, conn)
        answered.add_done_callback(
            lambda future: self.method_queue.defer(self.finish_request, conn, future)
        )

    def _limit_arriving(self) -> None:
        while len(self._arriving) > MAX_ARRIVING or self._arriving_bytes > MAX_ARRIVING_BYTES:
            self._give_up(next(iter(self._arriving)))

    def _forget(self, conn: TConn) -> ArrivingRequest:
        self.poller.unregister(conn.sock)
        arriving = self._arriving.pop(conn)
        self._arriving_bytes -= arriving.received
        return arriving

    def _give_up(self, conn: TConn) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()

    def _close_connection(self, close: Any, *, graceful: bool = False) -> None:
        if graceful:
            self._ending.submit(close, graceful=True)
        else:
            close()


def _send_now(sock: Any, content: bytes) -> None:
    """As much as there is room for: whoever reads nothing gets nothing."""
    try:
        sock.setblocking(False)
        sock.send(content)
    except OSError:
        return
