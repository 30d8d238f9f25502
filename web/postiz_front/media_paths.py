"""The paths of media: what an upload answers, and what a post that comes back names by it.

A client may send any id with a path, so the path alone counts. One that is not ours is an address
that a worker fetches, by the same rules as `POST /api/v1/postiz/upload` with a URL.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from flask import request
from pydantic import ValidationError
from sqlalchemy.orm import Session

from shared.models import Media
from web.postiz_front import replies
from web.postiz_front.blueprint import PREFIXES
from web.postiz_front.call import has_valid_ending
from web.request_parsing import upload_items
from web.request_parsing.upload_items import Item
from web.schemas.uploads import UploadByUrl
from web.services import current_services

#: The most addresses of one call, since each is looked up.
MAX_LINKS = 50
_OURS = re.compile(r"/media/pressroom-([0-9]{1,18})\.[a-z0-9]+$")
_ENDINGS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
}


def media_reply(medium: Media) -> dict[str, Any]:
    """What Postiz answers to an upload."""
    base = current_services().settings.public_url or request.url_root.rstrip("/")
    name = f"pressroom-{medium.id}{_ending(medium)}"
    return {
        "id": str(medium.id),
        "name": name,
        "originalName": None,
        "path": f"{base}{PREFIXES[0]}/media/{name}",
        "thumbnail": None,
        "alt": None,
    }


def _ending(medium: Media) -> str:
    """By its type; until it is fetched, by its address."""
    if medium.mime in _ENDINGS:
        return _ENDINGS[medium.mime]
    return PurePosixPath(urlsplit(medium.source_url or "").path).suffix


def find_own_id(path: str) -> str | None:
    """The id of the medium whose path we gave, whatever name our server has for its client."""
    found = _OURS.search(urlsplit(path).path)
    return found[1] if found else None


def check_links(profile_id: str, body: Any) -> dict[str, Item]:
    """The addresses in a body that are not ours, each to be added as a medium.

    Outside of a transaction, because names are looked up. Raises `Refused` for one that may not be
    fetched; what is no body of posts has none.
    """
    links = sorted({path for path in _paths(body) if find_own_id(path) is None})
    if len(links) > MAX_LINKS:
        raise replies.bad_request(f"A call may name at most {MAX_LINKS} addresses of media")
    items = upload_items.url_items(profile_id, [_parse_link(link) for link in links])
    for link, item in zip(links, items, strict=True):
        if item.error is not None:
            raise replies.bad_request(f"{link[:200]}: {item.error.message}")
    return dict(zip(links, items, strict=True))


def _parse_link(link: str) -> UploadByUrl:
    try:
        return UploadByUrl(url=link)
    except ValidationError as error:
        message = "is neither the path of an upload nor an http address of a file"
        raise replies.bad_request(f"{link[:200]} {message}") from error


def _paths(value: Any) -> Iterator[str]:
    """Of all media in the body, of whatever shape it is; `value` is not nested deeply."""
    if isinstance(value, list):
        for each in value:
            yield from _paths(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name == "path" and isinstance(each, str) and has_valid_ending(each):
                yield each
            elif name in {"posts", "value", "image"}:
                yield from _paths(each)


def add_links(session: Session, links: Mapping[str, Item]) -> dict[str, str]:
    """The id of the medium of each address."""
    added = {link: item.add(session)[0] for link, item in links.items() if item.add is not None}
    return {link: str(medium.id) for link, medium in added.items()}
