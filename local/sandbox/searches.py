"""Temporal's quota of workflow searches: so many a second, for the whole server."""

import asyncio
import random
from collections.abc import Callable

from .timing import Pace


class SearchThrottled(Exception):
    """Every attempt of a search was refused: it gave up."""


class Searches:
    """A token bucket with the client's own retries in front of it."""

    def __init__(self, pace: Pace, chance: random.Random, clock: Callable[[], float]) -> None:
        self._pace = pace
        self._chance = chance
        self._clock = clock
        self._tokens = pace.timing.search_burst
        self._filled_at = clock()

    async def search(self) -> None:
        """Return once a search went through; raises SearchThrottled after the last retry."""
        timing = self._pace.timing
        wait = timing.search_retry_first
        for _ in range(timing.search_attempts - 1):
            if self._take():
                return
            await asyncio.sleep(wait * self._chance.uniform(0.8, 1.2))
            wait = min(wait * timing.search_retry_factor, timing.search_retry_longest)
        if not self._take():
            raise SearchThrottled

    def _take(self) -> bool:
        timing, now = self._pace.timing, self._clock()
        refill = (now - self._filled_at) * timing.search_rate
        self._tokens = min(timing.search_burst, self._tokens + max(0.0, refill))
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
