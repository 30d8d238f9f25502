"""Fire times: when a cron expression is due in a time zone, also over changes of the clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_HOUR = timedelta(hours=1)
#: Leap days are at most eight years apart; an expression that is due more rarely is a mistake.
_FAR = timedelta(days=9 * 366)
_ONCE = datetime(2026, 1, 1, tzinfo=UTC)


def fire_times(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The fire times later than `after`, in UTC, each moment once.

    As in cron: a time of day that the clock jumps over is due right after the jump, and a time that
    comes twice is due only the first time. If the minute or hour of an expression begins with `*`,
    it follows the hours as they pass, also if one is skipped or repeated. Raises `CronSimError`.
    """
    while found := first_after(cron, zone, after):
        yield found
        after = found


def first_after(cron: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first fire time later than `after`; None if the expression is never due again."""
    found = _find_first(cron, zone, after, start=after)
    if found is None or _is_whole_hour_shift(zone, after, found):
        return found
    # the library steps by hours, and misses minutes if a clock was changed by half an hour
    return _find_first(cron, zone, after, start=max(after, found - _HOUR))


def _find_first(cron: str, zone: ZoneInfo, after: datetime, start: datetime) -> datetime | None:
    """The first moment that is really later than `after`.

    Two fire times can fall on one jump, and at the second 2:00 the library returns the first.
    """
    moments = (wall.astimezone(UTC) for wall in CronSim(cron, start.astimezone(zone)))
    return next((moment for moment in moments if moment > after), None)


def _is_whole_hour_shift(zone: ZoneInfo, first: datetime, second: datetime) -> bool:
    """Whether the clock was changed by whole hours, if at all, between the two."""
    offsets = [moment.astimezone(zone).utcoffset() or timedelta() for moment in (first, second)]
    return not (offsets[1] - offsets[0]) % _HOUR


def normalize_expression(cron: str) -> str:
    """`cron` with single spaces. Raises `ValueError` if it is no expression or is never due."""
    fields = cron.split()
    if len(fields) != 5:
        raise ValueError("must have five fields: minute, hour, day of month, month, day of week")
    words = " ".join(fields)
    try:
        found = first_after(words, ZoneInfo("UTC"), _ONCE)
    except CronSimError as error:
        raise ValueError(f"is not a cron expression: {error}") from error
    if found is None or found > _ONCE + _FAR:
        raise ValueError("is never due")
    return words
