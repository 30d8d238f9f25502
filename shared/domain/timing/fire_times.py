"""What is due of a schedule: the missed fire times, the one that runs now, and the next one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from shared.domain.timing.cron import fire_times, first_after

#: Nothing is missed if it is no later than this: the clock ticks every second, and work takes time.
PUNCTUAL = timedelta(seconds=10)
#: After one outage, up to this many misses are recorded one by one; more become one record.
TOLD = 100
#: More misses than this are not counted.
COUNTED = 2_000


@dataclass(frozen=True, kw_only=True)
class Missed:
    """Fire times from `first` on and before `until`. `times`: how many, None for very many."""

    first: datetime
    until: datetime
    times: int | None = 1


@dataclass(frozen=True, kw_only=True)
class DueTimes:
    """`fire_at`: what runs now, None for nothing. `next_at`: the fire time to check after it."""

    missed: Sequence[Missed]
    fire_at: datetime | None
    next_at: datetime | None


def find_due_times(
    cron: str, zone: ZoneInfo, *, since: datetime, now: datetime, grace: timedelta
) -> DueTimes:
    """`since`: the earliest fire time that was not handled yet. `grace`: how late one may run."""
    deadline = now - max(grace, PUNCTUAL)
    passed: list[datetime] = []
    for moment in chain([since], fire_times(cron, zone, since)):
        if moment > deadline:
            return _build_due_times(cron, zone, _list_missed(passed, deadline), moment, now)
        if len(passed) == COUNTED:
            many = Missed(first=since, until=deadline, times=None)
            return _build_due_times(cron, zone, [many], first_after(cron, zone, deadline), now)
        passed.append(moment)
    return _build_due_times(cron, zone, _list_missed(passed, deadline), None, now)


def _list_missed(passed: Sequence[datetime], deadline: datetime) -> Sequence[Missed]:
    if len(passed) > TOLD:
        return [Missed(first=passed[0], until=deadline, times=len(passed))]
    return [Missed(first=moment, until=moment + timedelta(seconds=1)) for moment in passed]


def _build_due_times(
    cron: str, zone: ZoneInfo, missed: Sequence[Missed], moment: datetime | None, now: datetime
) -> DueTimes:
    if moment is None or moment > now:
        return DueTimes(missed=missed, fire_at=None, next_at=moment)
    return DueTimes(missed=missed, fire_at=moment, next_at=first_after(cron, zone, moment))
