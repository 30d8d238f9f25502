"""When each row of a bulk is published: its own time, or the place that a spread gives it."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How rows without a time of their own follow each other; `jitter` goes either way."""

    start: datetime
    interval: timedelta
    jitter: timedelta = timedelta(0)
    seed: int = 0

    def at(self, index: int) -> datetime:
        """The time of row `index`: the same for the same seed, whatever the other rows are."""
        return whole_second(self.start + index * self.interval + self._shift(index))

    def _shift(self, index: int) -> timedelta:
        # one generator per row, so that a row's time does not depend on the rows before it
        chance = random.Random(f"{self.seed}:{index}")  # noqa: S311 (spreads posts, hides nothing)
        return chance.uniform(-1, 1) * self.jitter


def in_utc(moment: datetime, zone: ZoneInfo) -> datetime:
    """`moment` in UTC; one without a zone is a wall clock's in `zone`.

    A wall clock's time that a daylight-saving change skips moves forward by the change; one that it
    repeats means the first. Raises `OverflowError` at the ends of the calendar.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return aware.astimezone(UTC)


def whole_second(moment: datetime) -> datetime:
    """The milliseconds of a date in Postiz are ours to mark calls with."""
    return moment.replace(microsecond=0)
