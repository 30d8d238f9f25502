"""Times in requests, which may be without an offset, or beyond the calendar."""

from datetime import datetime
from zoneinfo import ZoneInfo

from shared.domain.timing import local_time
from shared.errors import FieldError, InvalidRequest


def in_calendar(moment: datetime, zone: str, name: str) -> datetime:
    """In UTC and whole seconds; a time without an offset is one in `zone`. What is before 1970 is
    the beginning of 1970: as past as any.

    `name`: of the field. Raises `InvalidRequest` at the ends of the calendar.
    """
    try:
        wanted = local_time.in_utc(moment, ZoneInfo(zone))
        return local_time.whole_second(local_time.in_calendar(wanted))
    except OverflowError as error:
        fault = FieldError(field=name, message="is beyond the calendar")
        raise InvalidRequest(f"{name} is beyond the calendar", fields=[fault]) from error
