"""Pages of lists: a limit, and an opaque cursor."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from shared.errors import FieldError, InvalidRequest
from web.http_layer.request import is_clean

T = TypeVar("T")
S = TypeVar("S")


class Query(BaseModel):
    """A query string; what is not named here is refused."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_unclean(cls, value: object) -> object:
        if isinstance(value, str) and not is_clean(value):
            raise ValueError("contains a NUL or half a character")
        return value


class PageQuery(Query):
    limit: int = Field(100, ge=1, le=1000)
    cursor: str | None = Field(None, description="`next_cursor` of the page before")


def encode_cursor(position: str) -> str:
    return urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> str | None:
    """The position in a cursor. Raises `InvalidRequest` for a cursor that we did not make."""
    if cursor is None:
        return None
    try:
        position = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError as error:
        raise _bad_cursor() from error
    if not position or not is_clean(position):
        raise _bad_cursor()
    return position


def decode_number(cursor: str | None) -> int | None:
    """Like `decode_cursor`, for lists in the order of a number."""
    position = decode_cursor(cursor)
    if position is None:
        return None
    if not (position.isascii() and position.isdigit() and len(position) <= 18):
        raise _bad_cursor()
    return int(position)


def page_query(
    wanted: Select[S], number: InstrumentedAttribute[int], query: PageQuery, *, newest: bool = False
) -> Select[S]:
    """The requested page of `wanted`, in the order of `number`; with `newest`, in reverse."""
    position = decode_number(query.cursor)
    if position is not None:
        wanted = wanted.where(number < position if newest else number > position)
    return wanted.order_by(number.desc() if newest else number).limit(query.limit)


def _bad_cursor() -> InvalidRequest:
    fault = FieldError(field="cursor", message="is not from a reply of this list")
    return InvalidRequest("The cursor is not from a reply of this list", fields=[fault])


def next_cursor(rows: Sequence[T], limit: int, place: Callable[[T], object]) -> str | None:
    """The cursor after `rows`, None if they did not fill the page."""
    return encode_cursor(str(place(rows[-1]))) if len(rows) == limit else None
