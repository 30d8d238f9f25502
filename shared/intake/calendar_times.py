"""Times in requests, which may be without an offset, or beyond the calendar."""

from datetime import datetime
from zoneinfo import ZoneInfo

from shared.domain.timing.local_time import in_utc, whole_second
from shared.errors import FieldError, InvalidRequest


def in_calendar(moment: datetime, zone: str, name: str) -> datetime:
    """In UTC and whole seconds; a time without an offset is one in `zone`.

    `name`: of the field. Raises `InvalidRequest` at the ends of the calendar.
    """
    try:
        return whole_second(in_utc(moment, ZoneInfo(zone)))
    except OverflowError as error:
        fault = FieldError(field=name, message="is beyond the calendar")
        raise InvalidRequest(f"{name} is beyond the calendar", fields=[fault]) from error
