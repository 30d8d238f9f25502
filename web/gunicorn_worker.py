"""gunicorn's threads, but for how a connection ends: never in the loop that accepts the others.

A client that still sends, as one whose upload was refused, is listened to for up to 2 s after the
answer (RFC 9112, section 9.6). gunicorn 27 does so in its main loop, one client after the other:
thirty of them kept everybody else waiting for half a minute.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

#: Connections that are listened to at once while they end.
ENDING = 8


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn brings no types
    def init_process(self) -> None:  # after the fork; ends with the process
        self._ending = ThreadPoolExecutor(ENDING, thread_name_prefix="ending")
        super().init_process()

    def finish_request(self, conn: TConn, fs: "Future[Any]") -> None:
        close = conn.close
        conn.close = partial(self._close_connection, close)
        super().finish_request(conn, fs)
        conn.close = close

    def _close_connection(self, close: Any, *, graceful: bool = False) -> None:
        if graceful:
            self._ending.submit(close, graceful=True)
        else:
            close()
