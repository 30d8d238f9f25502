"""What is due of a schedule: which fire times were missed, which one runs, and when the next is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from shared.domain.timing.cron import fire_times, first_after

#: Nothing is missed while it is so little late: a clock ticks every second, and work takes time.
PUNCTUAL = timedelta(seconds=10)
#: Of one absence, so many misses are told one by one; more become one record.
TOLD = 100
#: Further than this they are not even counted.
COUNTED = 2_000


@dataclass(frozen=True, kw_only=True)
class Missed:
    """Fire times from `first` on and before `until`. `times`: how many, None for very many."""

    first: datetime
    until: datetime
    times: int | None = 1


@dataclass(frozen=True, kw_only=True)
class Due:
    """`fire_at`: what runs now, if anything. `next_at`: what is to be looked at after it."""

    missed: Sequence[Missed]
    fire_at: datetime | None
    next_at: datetime | None


def due(cron: str, zone: ZoneInfo, *, since: datetime, now: datetime, grace: timedelta) -> Due:
    """`since`: the earliest fire time that nobody has dealt with."""
    deadline = now - max(grace, PUNCTUAL)
    gone: list[datetime] = []
    for moment in chain([since], fire_times(cron, zone, since)):
        if moment > deadline:
            return _due(cron, zone, _told(gone, deadline), moment, now)
        if len(gone) == COUNTED:
            many = Missed(first=since, until=deadline, times=None)
            return _due(cron, zone, [many], first_after(cron, zone, deadline), now)
        gone.append(moment)
    return _due(cron, zone, _told(gone, deadline), None, now)


def _told(gone: Sequence[datetime], deadline: datetime) -> Sequence[Missed]:
    if len(gone) > TOLD:
        return [Missed(first=gone[0], until=deadline, times=len(gone))]
    return [Missed(first=moment, until=moment + timedelta(seconds=1)) for moment in gone]


def _due(
    cron: str, zone: ZoneInfo, missed: Sequence[Missed], moment: datetime | None, now: datetime
) -> Due:
    if moment is None or moment > now:
        return Due(missed=missed, fire_at=None, next_at=moment)
    return Due(missed=missed, fire_at=moment, next_at=first_after(cron, zone, moment))
