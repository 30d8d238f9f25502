"""Wall-clock times: what they mean in a time zone, also over daylight-saving changes."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)
#: What lies before is long past, whenever it was; and from the end on, a zone or a day more would
#: leave the calendar.
EARLIEST, END = datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def in_utc(moment: datetime, zone: tzinfo = UTC) -> datetime:
    """`moment` in UTC; without a zone of its own it is a wall-clock time in `zone`.

    A wall-clock time that a daylight-saving change skips moves forward by the change; if the time
    repeats, the first is meant. Raises `OverflowError` at the ends of the calendar.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return aware.astimezone(UTC)


class ClockChange(StrEnum):
    """What a daylight-saving change does to a wall-clock time of its day."""

    SKIPPED = "skipped"
    REPEATED = "repeated"


def clock_change_at(moment: datetime, zone: tzinfo) -> ClockChange | None:
    """None for a time with an offset of its own, and for one that the clock shows once."""
    if moment.tzinfo is not None:
        return None
    before, after = _offsets_around(moment.replace(tzinfo=zone))
    if before == after:
        return None
    return ClockChange.SKIPPED if after > before else ClockChange.REPEATED


def in_calendar(moment: datetime) -> datetime:
    """Not before `EARLIEST`. Raises `OverflowError` from `END` on."""
    if moment >= END:
        raise OverflowError("beyond the calendar")
    return max(moment, EARLIEST)


def whole_second(moment: datetime) -> datetime:
    """Without milliseconds: in the dates of Postiz, we use them to mark calls."""
    return moment.replace(microsecond=0)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def on_day(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """When the clock shows `wall` on that day, in UTC; of two times the first.

    If the clock jumps over that time, it is the moment after the jump.
    """
    first = datetime.combine(day, wall, tzinfo=zone)
    before, after = _offsets_around(first)
    if after <= before:
        return first.astimezone(UTC)  # there once, or twice
    naive = first.replace(tzinfo=UTC)
    return _find_clock_change(naive - after, naive - before, zone)


def _offsets_around(wall: datetime) -> tuple[timedelta, timedelta]:
    """Before and after a clock change that skips or repeats this time; else the same twice."""
    before, after = wall.replace(fold=0).utcoffset(), wall.replace(fold=1).utcoffset()
    assert before is not None and after is not None
    return before, after


def _find_clock_change(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which the offset changes: after `low`, and at `high` at the latest."""
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
