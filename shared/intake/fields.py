"""Common types of request bodies: strict bodies, times, time zones, numbers."""

from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    model_validator,
)

from shared.http_address import parse_http_address


class Body(BaseModel):
    """The body of a request; an unknown field is refused with its name."""

    model_config = ConfigDict(extra="forbid")


class NullIsAbsent(Body):
    """A null means that the field is not given, since many clients send it so."""

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, body: Any) -> Any:
        if not isinstance(body, dict) or None not in body.values():
            return body
        return {name: value for name, value in body.items() if value is not None}


def _parse_iso_time(value: object) -> object:
    """Accepts only text: a number would be read as seconds since 1970, which nobody means."""
    if value is None or isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a time in ISO 8601")  # noqa: TRY004 (pydantic reports these)
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError) as error:
        raise ValueError("must be a time in ISO 8601, such as 2026-08-01T18:30:00Z") from error


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("must be a time zone such as Europe/Berlin") from error
    return name


def _check_http_url(value: str) -> str:
    """Checks only the form; whether the address is allowed is checked later."""
    parse_http_address(value)
    return value


#: In UTC where it names an offset (PostgreSQL takes none of 16 hours or more), else without a zone.
IsoTime = Annotated[datetime, BeforeValidator(_parse_iso_time)]
AnyUrl = Annotated[str, Field(min_length=1, max_length=2000)]
Url = Annotated[AnyUrl, AfterValidator(_check_http_url)]
Zone = Annotated[str, Field(max_length=64), AfterValidator(_check_zone)]
Flag = Annotated[bool, Strict()]
Number = Annotated[float, Strict()]
Whole = Annotated[int, Strict()]
Name = Annotated[str, Field(min_length=1, max_length=200)]
ExternalId = Annotated[str, Field(max_length=255)]
