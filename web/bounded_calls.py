"""Calls to Postiz with a time limit for the request; the call itself may end later."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from shared.errors import PressroomError, Transient, Unavailable
from shared.log import get_logger
from web.concurrency_limits import ConcurrencyLimit

T = TypeVar("T")

#: More than `places` has, so that no call ever waits for a thread.
THREADS = 16

log = get_logger("web")


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

    def begin(self, call: Callable[[], object], *, holder: Hashable) -> None:
        """Make a call that nobody waits for, if `holder` has a place for it."""
        with suppress(Unavailable):
            self._begin(call, self._places.take(holder)).add_done_callback(_log_defect)

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


def _log_defect(future: Future[object]) -> None:
    """What Postiz refuses is of no interest to anybody here."""
    error = None if future.cancelled() else future.exception()
    if error is not None and not isinstance(error, PressroomError):
        log.error("a call that nobody waits for failed", exc_info=error)
