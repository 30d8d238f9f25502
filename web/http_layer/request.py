"""A request whose JSON must be an object of clean text; otherwise a 400 says what is wrong."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn

from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.utils import cached_property

from shared.errors import FieldError, InvalidRequest
from web.arriving_request import SHORT_BODY
from web.auth import current_caller
from web.services import current_services

#: For JSON; files are read elsewhere, and have their own limits.
MAX_JSON_BYTES = 64 * 1024**2
#: How deep its values may be nested; what stores and shows them allows 255.
MAX_DEPTH = 64
#: The most faults that an answer lists, and the most of a name in it.
_MAX_FAULTS = 100
_SHOWN = 100
_DEEP = "is nested too deeply"


class _FramedInput:
    """The server's stream of a body. A malformed chunk is an `OSError`, as an early end is."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        try:
            return bytes(self._stream.read(size))
        except ParseException as error:
            raise OSError("the chunks of the body are malformed") from error


class ApiRequest(Request):
    max_content_length = MAX_JSON_BYTES

    def __init__(self, environ: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        environ["wsgi.input"] = _FramedInput(environ["wsgi.input"])
        super().__init__(environ, *args, **kwargs)

    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        """A short body is here; for a long one its reader waits, so it takes a slot of uploads.

        Raises `TooManyRequests` if the caller has its share, and `Unavailable` if none is left.
        """
        chunked = "Transfer-Encoding" in self.headers
        if not chunked and (self.content_length or 0) <= SHORT_BODY:
            return super().get_data(*args, **kwargs)
        with current_services().uploads.place(current_caller().holder):
            return super().get_data(*args, **kwargs)

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body. Never None: what is not a JSON object raises `InvalidRequest`."""
        return self._checked_body

    @cached_property  # not that of functools: in Python 3.11 all requests would share its lock
    def _checked_body(self) -> dict[str, Any]:
        """Parsed once: a bulk is large, and the body is used more than once."""
        if not self.mimetype and not self.get_data():
            return {}  # an empty body, which some requests may have
        if not self.is_json:
            given = self.mimetype or "none"
            raise InvalidRequest(
                f"The content type must be application/json, and is {given}", code="not_json"
            )
        try:
            body = json.loads(self.get_data(), parse_constant=refuse_constant)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"The body is not JSON: {error}", code="not_json") from error
        if not isinstance(body, dict):
            raise InvalidRequest("The body must be a JSON object", code="not_json")
        if not is_storable(body):
            raise InvalidRequest(
                "The body has values that cannot be stored",
                fields=list(islice(_unclean_values(body), _MAX_FAULTS)),
            )
        return body


def read_json(text: str) -> Any:
    """A single value, such as a cell of a table. Raises `ValueError`."""
    try:
        value = json.loads(text, parse_constant=refuse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not is_storable(value):
        raise ValueError("it has values that cannot be stored, or is nested too deeply")
    return value


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def is_storable(body: Any) -> bool:
    """Whether `_unclean_values` would find nothing; faster, and nearly always enough."""
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for value in level:
            if isinstance(value, str):
                if not is_clean(value):
                    return False
            elif isinstance(value, dict):
                deeper += value
                deeper += value.values()
            elif isinstance(value, list):
                deeper += value
            elif isinstance(value, float) and not math.isfinite(value):
                return False
        if not deeper:
            return True
        level = deeper
    return False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value is: its name or number, in another value. Its path is made when it is shown."""

    name: str
    inside: "_Place | None" = None
    depth: int = 1

    def path(self) -> str:
        names = []
        place: _Place | None = self
        while place is not None:
            names.append(place.name[:_SHOWN] if is_clean(place.name) else "?")
            place = place.inside
        return ".".join(reversed(names))


def _unclean_values(body: dict[str, Any]) -> Iterator[FieldError]:
    """What PostgreSQL cannot store, with its path: text, numbers, and what is nested too deeply."""
    waiting = list(_places_in(body, None))
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str) and not is_clean(value):
            yield FieldError(field=place.path(), message="contains a NUL or half a character")
        elif isinstance(value, float) and not math.isfinite(value):
            yield FieldError(field=place.path(), message="is too large a number")
        elif isinstance(value, dict | list) and value:
            if place.depth >= MAX_DEPTH - 1:
                yield FieldError(field=place.path(), message=_DEEP)
            else:
                waiting += _places_in(value, place)


def _places_in(
    values: dict[str, Any] | list[Any], inside: _Place | None
) -> Iterator[tuple[_Place, Any]]:
    """What is in a value, each with its place; the names too."""
    depth = inside.depth + 1 if inside else 1
    if isinstance(values, list):
        for index, value in enumerate(values):
            yield _Place(str(index), inside, depth), value
        return
    for name, value in values.items():
        yield _Place(name, inside, depth), value
        if not is_clean(name):
            yield _Place("key", inside, depth), name


def is_clean(text: str) -> bool:
    """Whether PostgreSQL can store it: no NUL, no half of a surrogate pair."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
