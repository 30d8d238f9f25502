"""Calls to Postiz with a time limit for the request; the call itself may end later."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from shared.errors import Transient

T = TypeVar("T")

#: A Postiz that hangs blocks at most this many threads; calls behind them wait, and time out.
THREADS = 16


class BoundedCalls:
    def __init__(self, threads: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="postiz")

    def within(self, seconds: float, call: Callable[[], T]) -> T:
        """What `call` returns or raises; `Transient` if it has not ended within `seconds`."""
        future: Future[T] = self._pool.submit(call)
        try:
            return future.result(timeout=seconds)
        except TimeoutError as error:
            if future.done():  # raised by the call itself
                raise
            future.cancel()
            raise Transient(f"Postiz did not answer within {seconds:g} s") from error

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
