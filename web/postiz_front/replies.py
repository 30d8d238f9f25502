"""Postiz's answers: JSON as it writes it, and the forms of its error bodies (docs/POSTIZ.md)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response

CONTENT_TYPE = "application/json; charset=utf-8"


class Refused(Exception):
    """The request ends here, with this answer. Its transaction is rolled back."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def json_response(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, dict(headers or {}), content_type=CONTENT_TYPE)


def bad_request(message: str | Sequence[str]) -> Refused:
    words = message if isinstance(message, str) else list(message)
    return Refused(400, {"message": words, "error": "Bad Request", "statusCode": 400})


def custom(status: int, message: str) -> Refused:
    return Refused(status, {"msg": message})


def plain(status: int, message: str) -> Refused:
    return Refused(status, {"statusCode": status, "message": message})


def provider_rule(*, provider: str | None, name: str | None, message: str) -> Refused:
    """What a network would refuse in a post."""
    body = {"statusCode": 400, "provider": provider, "name": name, "message": message}
    return Refused(400, body)


def no_such_route(method: str, path: str) -> Refused:
    message = f"Cannot {method} {path}"
    return Refused(404, {"message": message, "error": "Not Found", "statusCode": 404})


def internal_error() -> Refused:
    """Also for what Postiz does not find, in some of its routes."""
    return plain(500, "Internal server error")
