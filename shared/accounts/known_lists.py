"""How lately each account's integrations were listed, and whose turn it is to ask for them again.

Each process remembers for itself: what it has not asked for yet, it asks for once.
"""

import threading
import time
from collections.abc import Callable

#: For so long a list is as good as a new one, and nobody asks again after a failure (seconds).
FRESH_SECONDS = 60.0
#: For so long it is good enough while somebody asks for a new one (seconds).
RECENT_SECONDS = 900.0
_REMEMBERED = 10_000
_NEVER = float("-inf")


class KnownLists:
    """Thread-safe. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._listed_at: dict[int, float] = {}
        self._asked_at: dict[int, float] = {}

    def is_fresh(self, account_id: int) -> bool:
        return self._is_within(self._listed_at, account_id, FRESH_SECONDS)

    def is_recent(self, account_id: int) -> bool:
        return self._is_within(self._listed_at, account_id, RECENT_SECONDS)

    def take_turn(self, account_id: int) -> bool:
        """Whether the caller is to ask for the list; then for a while nobody else is."""
        with self._lock:
            now = self._clock()
            for times in (self._listed_at, self._asked_at):
                if times.get(account_id, _NEVER) > now - FRESH_SECONDS:
                    return False
            self._note(self._asked_at, account_id)
            return True

    def note_listed(self, account_id: int) -> None:
        with self._lock:
            self._note(self._listed_at, account_id)

    def reset(self) -> None:
        """Settings have changed, or may have: whatever was known is asked for anew."""
        with self._lock:
            self._listed_at.clear()
            self._asked_at.clear()

    def _is_within(self, times: dict[int, float], account_id: int, seconds: float) -> bool:
        with self._lock:
            return times.get(account_id, _NEVER) > self._clock() - seconds

    def _note(self, times: dict[int, float], account_id: int) -> None:
        if len(times) >= _REMEMBERED:
            times.clear()
        times[account_id] = self._clock()
