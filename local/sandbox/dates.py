"""Dates as Postiz reads and writes them: ISO 8601 in, UTC with milliseconds out."""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_ISO = re.compile(
    r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?\s?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
)
POSTING_MINUTES = (120, 400, 700)


def to_ms(text: object) -> int | None:
    """Epoch milliseconds of an ISO 8601 string, or None where Postiz would refuse it."""
    if not isinstance(text, str) or not _ISO.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text.replace(",", "."))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(ms: int) -> datetime:
    return _EPOCH + ms * _MILLISECOND


def iso(ms: int) -> str:
    return from_ms(ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def iso_seconds(ms: int) -> str:
    """Without milliseconds and zone, as a change of settings answers."""
    return from_ms(ms).strftime("%Y-%m-%dT%H:%M:%S")


def this_minute(now_ms: int) -> int:
    return now_ms - now_ms % 60_000


def without_milliseconds(ms: int) -> int:
    return ms - ms % 1000


def next_slot(now_ms: int, taken: Collection[int], minutes: Sequence[int] = POSTING_MINUTES) -> str:
    """The first free posting time after now, as `YYYY-MM-DDTHH:mm:00`."""
    day = from_ms(now_ms).replace(hour=0, minute=0, second=0, microsecond=0)
    while True:
        for minute in minutes:
            slot = (day + timedelta(minutes=minute) - _EPOCH) // _MILLISECOND
            if slot > now_ms and slot not in taken:
                return iso_seconds(slot)
        day += timedelta(days=1)
