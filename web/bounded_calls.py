"""Calls to Postiz with a time limit for the request; the call itself may end later."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from shared.errors import Transient
from web.concurrency_limits import ConcurrencyLimit

T = TypeVar("T")

#: More than `places` has, so that no call ever waits for a thread.
THREADS = 16


class BoundedCalls:
    """A call has its place until it has ended, also where its request no longer waits for it."""

    def __init__(self, places: ConcurrencyLimit, threads: int = THREADS) -> None:
        self._places = places
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="postiz")

    def within(self, seconds: float, call: Callable[[], T], *, holder: Hashable = None) -> T:
        """What `call` returns or raises; `Transient` if it has not ended within `seconds`.

        Raises `TooManyRequests` if `holder` has too many of them, and `Unavailable` if all have.
        """
        future = self._begin(call, self._places.take(holder))
        try:
            return future.result(timeout=seconds)
        except TimeoutError as error:
            if future.done():  # raised by the call itself
                raise
            future.cancel()
            raise Transient(f"Postiz did not answer within {seconds:g} s") from error

    def _begin(self, call: Callable[[], T], give_back: Callable[[], None]) -> Future[T]:
        try:
            future = self._pool.submit(call)
        except RuntimeError:  # the process is stopping
            give_back()
            raise
        future.add_done_callback(lambda _: give_back())
        return future

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
