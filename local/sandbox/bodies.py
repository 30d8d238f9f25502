"""Reading a request's body as Postiz's body parser does, before anything else is checked."""

import json
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from . import replies
from .replies import Refused

LARGEST_JSON = 100 * 1024


async def read_body(request: web.Request) -> Any:
    """JSON or a form; anything else counts as {}. Raises Refused for bad syntax and size."""
    if request.content_type == "application/json":
        return _parse_json(await _read_text(request))
    if request.content_type == "application/x-www-form-urlencoded":
        return dict(parse_qsl(await _read_text(request)))
    if not is_upload(request):
        await drain(request)
    return {}


def is_upload(request: web.Request) -> bool:
    return request.content_type.startswith("multipart/")


async def _read_text(request: web.Request) -> str:
    if (request.content_length or 0) > LARGEST_JSON:
        await drain(request)
        raise Refused(replies.too_large())
    body = await request.read()
    if len(body) > LARGEST_JSON:
        raise Refused(replies.too_large())
    return body.decode("utf-8", "replace")


def _parse_json(text: str) -> Any:
    if not text:
        return {}
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise Refused(replies.json_syntax(text, error)) from error
    if not isinstance(body, dict | list):
        raise Refused(replies.json_syntax(text, json.JSONDecodeError("", text, 0)))
    return body


async def drain(request: web.Request) -> None:
    """Read the rest of the body and forget it, so that the sender hears the answer."""
    async for _ in request.content.iter_any():
        pass
