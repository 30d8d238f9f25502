"""Settings that a network requires and the request does not give: which of them get a default.

A post is published to be seen, so the default is public. A default never commits the owner to
anything (music, paid partnership, reuse by others). Where a post goes (board, subreddit, channel)
has no default: if it is missing, that is an error.
"""

import re
from collections.abc import Mapping
from typing import Any

from shared.domain.networks.caption_length import plain_length

#: From the examples in Postiz's documentation of its public API (seen on 2026-11-22).
_TIKTOK: Mapping[str, Any] = {
    "privacy_level": "PUBLIC_TO_EVERYONE",
    "duet": False,
    "stitch": False,
    "comment": True,
    "autoAddMusic": "no",
    "brand_content_toggle": False,
    "brand_organic_toggle": False,
    "content_posting_method": "DIRECT_POST",
}
_INSTAGRAM: Mapping[str, Any] = {"post_type": "post"}

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "x": {"who_can_reply_post": "everyone"},
    "instagram": _INSTAGRAM,
    "instagram-standalone": _INSTAGRAM,
    "tiktok": _TIKTOK,
    "youtube": {"type": "public"},
}

_ANGLES = re.compile("[<>]")
#: The length of a YouTube title, by Postiz's own check and counting.
_TITLE_LEAST, _TITLE_MOST = 2, 100


def find_default_settings(
    identifier: str | None, given: Mapping[str, Any], caption: str
) -> dict[str, Any]:
    """The settings to add to those `given`; null counts as not given."""
    defaults = DEFAULTS.get(identifier or "", {})
    found = {name: value for name, value in defaults.items() if given.get(name) is None}
    if identifier == "youtube" and given.get("title") is None and (title := title_of(caption)):
        found["title"] = title
    return found


def title_of(caption: str) -> str | None:
    """The first line of a caption as a title; None if it is too short for one.

    Angle brackets are removed: YouTube does not accept them in titles.
    """
    lines = (" ".join(_ANGLES.sub(" ", line).split()) for line in caption.splitlines())
    title = _shorten_title(next(filter(None, lines), ""))
    return title if plain_length(title) >= _TITLE_LEAST else None


def _shorten_title(line: str) -> str:
    """Cut at the end of a word, if a word ends in the second half."""
    if plain_length(line) <= _TITLE_MOST:
        return line
    beginning = line[: _TITLE_MOST - 1]
    while plain_length(beginning) >= _TITLE_MOST:
        beginning = beginning[:-1]
    head, space, _ = beginning.rpartition(" ")
    return (head if space and len(head) > len(beginning) // 2 else beginning) + "…"
