"""A body as Postiz's parser reads it: JSON of at most 100 kB; anything else counts as empty."""

import json
from typing import Any

from flask import request

from web.http_layer.request import is_storable, refuse_constant
from web.postiz_front import replies
from web.postiz_front.replies import Refused

LARGEST_JSON = 100 * 1024
_SHOWN = 20


def read_body() -> tuple[Any, str]:
    """The value, which can be stored, and its text. Raises `Refused`, and 413 for a larger one."""
    if request.mimetype != "application/json":
        return {}, ""
    request.max_content_length = LARGEST_JSON
    text = request.get_data().decode("utf-8", "replace")
    if not text:
        return {}, ""
    value = _parse(text)
    if not is_storable(value):
        raise replies.bad_request(
            "The body has values that cannot be stored, or is nested too deep"
        )
    return value, text


def read_object() -> dict[str, Any]:
    """The same; what is no object counts as an empty one."""
    body, _ = read_body()
    return body if isinstance(body, dict) else {}


def _parse(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=refuse_constant)
    except json.JSONDecodeError as error:
        raise _not_json(text, error.pos) from error
    except (ValueError, RecursionError) as error:
        raise _not_json(text, 0) from error
    if not isinstance(value, dict | list):
        raise _not_json(text, 0)
    return value


def _not_json(text: str, position: int) -> Refused:
    """In the words of Node's parser."""
    if position >= len(text.rstrip()):
        return replies.bad_request("Unexpected end of JSON input")
    wrong, start = text[position], text[:_SHOWN]
    return replies.bad_request(f"Unexpected token '{wrong}', \"{start}\" is not valid JSON")
