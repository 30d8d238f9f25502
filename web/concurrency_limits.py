"""Limits on requests that may take long, so that every process keeps threads for the others.

A process has 20 threads (`gunicorn_conf.threads`). At most 6 are for slow uploads and 6 for event
streams, so 8 are left for everything else. Refused bodies that are still read take at most 3 of
these. When all slots of a kind are taken, the request gets 503 with Retry-After instead of waiting.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.errors import Unavailable

UPLOADS = 6
STREAMS = 6
DRAINS = 3
#: Each takes a processor for some hundredths of a second, and 19 MiB.
SIGN_INS = 2


class ConcurrencyLimit:
    """Thread-safe. `going_on`: long requests call it; False once the process is to stop."""

    def __init__(self, number: int, what: str, *, retry_after: int) -> None:
        self._free = threading.BoundedSemaphore(number)
        self._what = what
        self._retry_after = retry_after
        self.going_on: Callable[[], bool] = lambda: True

    def take(self) -> Callable[[], None]:
        """Take a slot; the returned function gives it back, once. Raises `Unavailable`."""
        if not self._free.acquire(blocking=False):
            raise Unavailable(
                f"Too many {self._what} at once: try again soon",
                code="too_many_at_once",
                retry_after=self._retry_after,
            )
        taken = [True]

        def give_back() -> None:
            if taken:
                taken.pop()
                self._free.release()

        return give_back

    @contextmanager
    def place(self) -> Iterator[None]:
        give_back = self.take()
        try:
            yield
        finally:
            give_back()
