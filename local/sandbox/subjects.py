"""Which posts a request is about, so that a fault can be kept to some of them."""

import json
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from .bodies import LARGEST_JSON
from .faults import Asked, Subject
from .posts import Posts
from .routes import Match


async def read_asked(posts: Posts, request: web.Request, found: Match, owner: str | None) -> Asked:
    """Reads a POST /posts before its endpoint does, which finds the body kept."""
    if found.label == "POST /posts":
        body = await _read_json(request)
        kind = body.get("type")
        subjects = tuple(_elements(body))
        return Asked(label=found.label, org=owner, subjects=subjects, type=kind)
    post = posts.get(found.params.get("id", ""))
    if post is None:
        return Asked(label=found.label, org=owner)
    subject = Subject(id=post.id, integration=post.integration, content=post.content)
    return Asked(label=found.label, org=owner, subjects=(subject,))


async def _read_json(request: web.Request) -> dict[str, Any]:
    if (request.content_length or 0) > LARGEST_JSON:
        return {}
    try:
        body = json.loads(await request.read())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _elements(body: dict[str, Any]) -> Iterator[Subject]:
    """Of what has the right shape: what has not is refused by its endpoint."""
    elements = body.get("posts")
    for element in elements if isinstance(elements, list) else ():
        try:
            integration, value = element["integration"]["id"], element["value"][0]
            yield Subject(id=value.get("id"), integration=integration, content=value["content"])
        except (AttributeError, IndexError, KeyError, TypeError):
            continue
