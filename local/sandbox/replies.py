"""Postiz's answers as data: the five shapes of its error bodies, and the rest."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """`body` is JSON, or bytes that are sent as they are."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> "Reply":
        return Reply(self.status, self.body, {**self.headers, **headers})


class Refused(Exception):
    """The request ends here, with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def bad_request(message: str | list[str]) -> Reply:
    return Reply(400, {"message": message, "error": "Bad Request", "statusCode": 400})


def custom(status: int, message: str) -> Reply:
    return Reply(status, {"msg": message})


def provider_rule(*, provider: str, name: str, message: str) -> Reply:
    body = {"statusCode": 400, "provider": provider, "name": name, "message": message}
    return Reply(400, body)


def missing(message: str) -> Reply:
    return Reply(404, {"message": message, "error": "Not Found", "statusCode": 404})


def not_found(method: str, path: str) -> Reply:
    return missing(f"Cannot {method} {path}")


def too_large() -> Reply:
    return Reply(413, {"statusCode": 413, "message": "request entity too large"})


def internal_error() -> Reply:
    return Reply(500, {"statusCode": 500, "message": "Internal server error"})


def throttled(retry_after: int) -> Reply:
    body = {"statusCode": 429, "message": "ThrottlerException: Too Many Requests"}
    return Reply(429, body, {"Retry-After": str(retry_after)})


def plan_limit(url: str) -> Reply:
    message = "The plan of this organization allows no more posts this month."
    return Reply(402, {"statusCode": 402, "message": message, "url": url})


def bad_gateway() -> Reply:
    title = "502 Bad Gateway"
    page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center>"
    page += "<hr><center>nginx</center></body></html>\n"
    return Reply(502, page.encode(), {"Content-Type": "text/html"})


def json_syntax(text: str, error: json.JSONDecodeError) -> Reply:
    """The words of Node's JSON parser for a body that is none."""
    if error.pos >= len(text.rstrip()):
        return bad_request("Unexpected end of JSON input")
    wrong = text[error.pos]
    return bad_request(f"Unexpected token '{wrong}', \"{text[:20]}\" is not valid JSON")
