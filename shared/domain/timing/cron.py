"""Fire times: when a cron expression is due in a time zone, over changes of the clock too."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_HOUR = timedelta(hours=1)
#: Leap days are at most eight years apart; what is rarer is a mistake, whenever one begins.
_FAR = timedelta(days=9 * 366)
_ONCE = datetime(2026, 1, 1, tzinfo=UTC)


def fire_times(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Those later than `after`, in UTC, each moment once.

    As cron does it: a time of the day that the clock jumps over is due at the moment after the
    jump, and one that comes twice is due the first time only. An expression whose minute or hour
    begins with `*` follows the hours as they pass, left out or repeated. Raises `CronSimError`.
    """
    while found := first_after(cron, zone, after):
        yield found
        after = found


def first_after(cron: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """None where the expression is never due again."""
    found = _find_first(cron, zone, after, start=after)
    if found is None or _is_whole_hour_shift(zone, after, found):
        return found
    # the library goes by hours, and past minutes where a clock was changed by half of one
    return _find_first(cron, zone, after, start=max(after, found - _HOUR))


def _find_first(cron: str, zone: ZoneInfo, after: datetime, start: datetime) -> datetime | None:
    """Two times can fall on one jump; and from the second 2:00 the library names the first."""
    moments = (wall.astimezone(UTC) for wall in CronSim(cron, start.astimezone(zone)))
    return next((moment for moment in moments if moment > after), None)


def _is_whole_hour_shift(zone: ZoneInfo, first: datetime, second: datetime) -> bool:
    """Whether the clock was changed by whole hours, if at all, between the two."""
    offsets = [moment.astimezone(zone).utcoffset() or timedelta() for moment in (first, second)]
    return not (offsets[1] - offsets[0]) % _HOUR


def normalize_expression(cron: str) -> str:
    """`cron` in one form. Raises `ValueError` for what is no expression, or is never due."""
    fields = cron.split()
    if len(fields) != 5:
        raise ValueError("must have five fields: minute, hour, day of month, month, day of week")
    words = " ".join(fields)
    try:
        found = first_after(words, ZoneInfo("UTC"), _ONCE)
    except CronSimError as error:
        raise ValueError(f"is no cron expression: {error}") from error
    if found is None or found > _ONCE + _FAR:
        raise ValueError("is never due")
    return words
