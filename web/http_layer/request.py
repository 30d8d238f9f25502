"""A request whose JSON must be an object of clean text; otherwise a 400 says what is wrong."""

import json
import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NoReturn

from flask import Request

from shared.errors import FieldError, InvalidRequest

#: For JSON; files are read elsewhere, and have their own limits.
MAX_JSON_BYTES = 64 * 1024**2


class ApiRequest(Request):
    max_content_length = MAX_JSON_BYTES

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body. Never None: what is not a JSON object raises `InvalidRequest`."""
        return self._checked_body

    @cached_property
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
            body = json.loads(self.get_data(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"The body is not JSON: {error}", code="not_json") from error
        if not isinstance(body, dict):
            raise InvalidRequest("The body must be a JSON object", code="not_json")
        if not _all_clean(body):
            raise InvalidRequest(
                "The body has values that cannot be stored", fields=list(_unclean_values(body))
            )
        return body


def read_json(text: str) -> Any:
    """A single value, such as a cell of a table. Raises `ValueError`."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not _all_clean(value):
        raise ValueError("it has values that cannot be stored")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _all_clean(body: Any) -> bool:
    """Whether `_unclean_values` would find nothing; faster, and nearly always enough."""
    waiting: list[Any] = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if not is_clean(value):
                return False
        elif isinstance(value, dict):
            waiting += value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, float) and not math.isfinite(value):
            return False
    return True


def _unclean_values(body: dict[str, Any]) -> Iterator[FieldError]:
    """Text and numbers that PostgreSQL cannot store, with their paths."""
    waiting: list[tuple[str, Any]] = [("", body)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str) and not is_clean(value):
            yield FieldError(field=path, message="contains a NUL or half a character")
        elif isinstance(value, float) and not math.isfinite(value):
            yield FieldError(field=path, message="is too large a number")
        elif isinstance(value, dict):
            waiting += [(_join_path(path, key), inner) for key, inner in value.items()]
            waiting += [(_join_path(path, "key"), key) for key in value if not is_clean(key)]
        elif isinstance(value, list):
            waiting += [(_join_path(path, str(index)), inner) for index, inner in enumerate(value)]


def _join_path(path: str, name: str) -> str:
    name = name if is_clean(name) else "?"
    return f"{path}.{name}" if path else name


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
