"""Common parts of the shapes: paths with an id, pages of lists, and fields of bodies."""

from typing import Generic, TypeVar

from pydantic import BaseModel

from shared.intake.fields import (
    AnyUrl,
    Body,
    ExternalId,
    Flag,
    IsoTime,
    Name,
    NullIsAbsent,
    Number,
    Url,
    Whole,
    Zone,
)

__all__ = [
    "AnyUrl",
    "Body",
    "ExternalId",
    "Flag",
    "IdPath",
    "IsoTime",
    "Name",
    "NullIsAbsent",
    "Number",
    "Page",
    "Url",
    "Whole",
    "Zone",
]

T = TypeVar("T")


class IdPath(BaseModel):
    id: str


class Page(BaseModel, Generic[T]):
    """A part of a list; `next_cursor` leads to the next one."""

    items: list[T]
    next_cursor: str | None
