"""Fire times: when a cron expression is due in a time zone, over changes of the clock too."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

#: Leap days are at most eight years apart; what is rarer is a mistake.
_FAR = timedelta(days=9 * 366)


def fire_times(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Those later than `after`, in UTC, each moment once.

    As cron does it: a time of the day that the clock jumps over is due at the moment after the
    jump, and one that comes twice is due the first time only. An expression whose minute or hour
    begins with `*` follows the hours as they pass, left out or repeated. Raises `CronSimError`.
    """
    latest = after
    for wall in CronSim(cron, after.astimezone(zone)):
        moment = wall.astimezone(UTC)
        if moment > latest:  # two times can fall on one jump; and the second 2:00 is past the first
            yield moment
            latest = moment


def first_after(cron: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """None where the expression is never due again."""
    return next(fire_times(cron, zone, after), None)


def refuse_bad(cron: str) -> str:
    """`cron` in one form. Raises `ValueError` for what is no expression, or is never due."""
    fields = cron.split()
    if len(fields) != 5:
        raise ValueError("must have five fields: minute, hour, day of month, month, day of week")
    words = " ".join(fields)
    start = datetime.now(UTC)
    try:
        found = first_after(words, ZoneInfo("UTC"), start)
    except CronSimError as error:
        raise ValueError(f"is no cron expression: {error}") from error
    if found is None or found > start + _FAR:
        raise ValueError("is never due")
    return words
