"""gunicorn's threads, but connections end outside of the loop that accepts new ones.

After an answer, gunicorn reads for up to 2 s from a client that still sends, such as one whose
upload was refused (RFC 9112, section 9.6). gunicorn 27 does this in its main loop, one client after
the other: thirty such clients delayed all others by half a minute.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

#: How many ending connections are read from at the same time.
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
