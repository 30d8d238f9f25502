"""Clocks on walls: times in a zone, over daylight-saving changes, and the slots of a day."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)


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


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def on_day(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """When the clock shows `wall` on that day, in UTC; of two times the first.

    A time that the day does not have, for the clock jumps over it, is the moment after the jump.
    """
    first = datetime.combine(day, wall, tzinfo=zone)
    before, after = first.utcoffset(), first.replace(fold=1).utcoffset()
    assert before is not None and after is not None
    if after <= before:
        return first.astimezone(UTC)  # there once, or twice
    naive = first.replace(tzinfo=UTC)
    return _jump(naive - after, naive - before, zone)


def _jump(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The moment of the change of offset that lies behind `low`, and at `high` at the latest."""
    old = low.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = low + whole_seconds((high - low) / 2)
        if middle.astimezone(zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return high


def whole_seconds(span: timedelta) -> timedelta:
    return timedelta(seconds=int(span.total_seconds()))


def slots(start: datetime, walls: Sequence[time], zone: ZoneInfo) -> Iterator[datetime]:
    """The moments, from `start` on and without end, at which the clock shows one of `walls`.

    Two that a change of the clock lays on one moment count once; a day that the zone skipped has
    none.
    """
    last = start - _SECOND
    day = local_day(start, zone)
    while True:
        for wall in sorted(walls):
            moment = on_day(day, wall, zone)
            if moment > last and local_day(moment, zone) == day:
                last = moment
                yield moment
        day += timedelta(days=1)
