"""Values of Postiz's replies: read with limits, so that all that comes in can be used and stored.

A Postiz may be anybody's server. What is too long is cut where it is shown to people, and refused
where it must be exact. Nothing nested is walked or printed, so its depth does no harm.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import requests

from shared.errors import PublisherError

#: The most of Postiz's words that we keep (characters).
MAX_WORDS = 500
MAX_NAME = 200
MAX_URL = 2000
#: A counted call has at most 100 kB, so no content that we sent is longer.
MAX_CONTENT = 100_000
MAX_INTEGRATIONS = 2000
MAX_POSTS = 20_000
MAX_NOTIFICATIONS = 1000
#: A part of a path in later calls.
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:~-]{0,199}")
#: PostgreSQL stores no NUL and no half of a surrogate pair.
_UNCLEAN = re.compile("[\x00\ud800-\udfff]")
#: Beyond these years, adding a few days could leave the calendar.
_YEARS = range(1971, 2972)


class NotJson(ValueError):
    """The body is not JSON, or is nested too deeply to be read."""


def parse_json(reply: requests.Response) -> Any:
    """The body. Raises `NotJson`.

    Not by the reply itself, which would try every encoding on what is no UTF-8: that takes minutes.
    """
    try:
        return json.loads(reply.content)
    except (ValueError, RecursionError) as error:
        raise NotJson("the body is not JSON") from error


@contextmanager
def expect_shape(otherwise: type[PublisherError]) -> Iterator[None]:
    """Around the reading of a reply; raises `otherwise` if the reply has an unexpected shape."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise otherwise("Postiz answered JSON of an unexpected shape") from error


def read_rows(value: Any, *, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    if len(value) > most:
        raise ValueError(f"more than {most} rows")
    return value


def read_words(value: Any, *, most: int = MAX_NAME) -> str:
    """A text for people: cut, and without characters that cannot be stored."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return _UNCLEAN.sub("\ufffd", value[:most])


def read_url(value: Any) -> str | None:
    """None also for one that is too long: a part of an address leads elsewhere."""
    words = None if value is None else read_words(value, most=MAX_URL + 1)
    return words if words is not None and len(words) <= MAX_URL else None


def read_id(value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError("not an id")
    return value


def read_new_ids(rows: Any, *, number: int) -> list[str]:
    """Of so many new posts, in their order; two posts never have the same id."""
    ids = [read_id(row["postId"]) for row in read_rows(rows, most=number)]
    if len(set(ids)) != number:
        raise ValueError(f"{len(set(ids))} ids for {number} posts")
    return ids


def read_path(value: Any) -> str:
    """Of a file in Postiz, as later calls must name it."""
    if not isinstance(value, str) or len(value) > MAX_URL or _UNCLEAN.search(value):
        raise ValueError("not a path")
    return value


def read_moment(value: Any) -> datetime:
    """In UTC, also where the reply names no zone."""
    moment = datetime.fromisoformat(value)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return checked_moment(aware.astimezone(UTC))


def checked_moment(moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise ValueError("a moment that is not of our time")
    return moment
