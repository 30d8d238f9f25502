"""Limits on requests that may take long, so that every process keeps threads for the others.

A process has 26 threads (`gunicorn_conf.threads`). At most 6 are for slow uploads, 6 for event
streams and 6 for files that are sent back, so 8 are left for everything else. Of these at most 6
wait for an answer of some Postiz, and refused bodies that are still read take at most 3. When all
slots of a kind are taken, the request gets 503 with Retry-After instead of waiting; when one holder
has its share of them, it gets 429, and the others go on.
"""

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from shared.errors import TooManyRequests, Unavailable

UPLOADS = 6
STREAMS = 6
#: Files that are sent back, and small pictures of them that are made.
DOWNLOADS = 6
LIVE_CALLS = 6
DRAINS = 3
#: Each takes a processor for some hundredths of a second, and 19 MiB.
SIGN_INS = 2
#: Of people who come back from the OpenID provider.
OPENID_CALLS = 2
#: Calendars: each takes a processor for up to a second.
FEEDS = 2
TOO_MANY = "too_many_at_once"


class ConcurrencyLimit:
    """Thread-safe. `going_on`: long requests call it; False once the process is to stop.

    `each`: how many one holder may have; None: all.
    """

    def __init__(
        self, number: int, what: str, *, retry_after: int, each: int | None = None
    ) -> None:
        self._number = number
        self._each = number if each is None else each
        self._what = what
        self._retry_after = retry_after
        self._lock = threading.Lock()
        self._held: Counter[Hashable] = Counter()
        self.going_on: Callable[[], bool] = lambda: True

    def take(self, holder: Hashable = None) -> Callable[[], None]:
        """Take a slot; the returned function gives it back, once.

        Raises `TooManyRequests` if `holder` has its share, and `Unavailable` if none is left.
        """
        with self._lock:
            if holder is not None and self._held[holder] >= self._each:
                raise TooManyRequests(
                    f"You have too many {self._what} at once: try again when one has ended",
                    code=TOO_MANY,
                    retry_after=self._retry_after,
                )
            if self._held.total() >= self._number:
                raise Unavailable(
                    f"Too many {self._what} at once: try again soon",
                    code=TOO_MANY,
                    retry_after=self._retry_after,
                )
            self._held[holder] += 1
        taken = [True]

        def give_back() -> None:
            if taken:
                taken.pop()
                self._release(holder)

        return give_back

    def _release(self, holder: Hashable) -> None:
        with self._lock:
            self._held[holder] -= 1
            if not self._held[holder]:
                del self._held[holder]

    @contextmanager
    def place(self, holder: Hashable = None) -> Iterator[None]:
        give_back = self.take(holder)
        try:
            yield
        finally:
            give_back()
