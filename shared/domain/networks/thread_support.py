"""What each network makes of the parts of a thread that come after the first one, as data.

Postiz publishes them one after another with its provider's method for comments; a provider without
one publishes the first part alone, and says nothing (docs/POSTIZ.md, "Threads").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

#: The most parts after the first one, and minutes before one of them.
MAX_PARTS = 20
MAX_DELAY = 24 * 60


class Below(StrEnum):
    """Where a later part is shown."""

    REPLIES = "replies"  # each as a reply to the part before it
    COMMENTS = "comments"  # each as a comment


@dataclass(frozen=True, kw_only=True)
class ThreadSupport:
    """`media_most`: of a part after the first; None if it may have as many as a post."""

    below: Below
    media_most: int | None = None


_REPLIES = ThreadSupport(below=Below.REPLIES)
_COMMENTS = ThreadSupport(below=Below.COMMENTS)
_ONLY_TEXT = ThreadSupport(below=Below.COMMENTS, media_most=0)

#: By Postiz's `identifier`: its providers at commit `74b01ad`, read on 2026-11-27.
THREADS: Mapping[str, ThreadSupport] = {
    "x": _REPLIES,
    "threads": _REPLIES,
    "bluesky": _REPLIES,
    "mastodon": _REPLIES,
    "mastodon-custom": _REPLIES,
    "telegram": _REPLIES,
    "discord": _REPLIES,
    "slack": _REPLIES,
    "wrapcast": _REPLIES,
    "nostr": _REPLIES,
    "skool": _REPLIES,
    "whop": _REPLIES,
    "kick": ThreadSupport(below=Below.REPLIES, media_most=0),
    "twitch": ThreadSupport(below=Below.REPLIES, media_most=0),
    "moltbook": ThreadSupport(below=Below.REPLIES, media_most=0),
    "facebook": ThreadSupport(below=Below.COMMENTS, media_most=1),
    "instagram": _ONLY_TEXT,
    "instagram-standalone": _ONLY_TEXT,
    "linkedin": _ONLY_TEXT,
    "linkedin-page": _ONLY_TEXT,
    "reddit": _ONLY_TEXT,
    "lemmy": _ONLY_TEXT,
    "vk": _COMMENTS,
}
#: Networks of Postiz whose provider publishes the first part alone.
WITHOUT_THREADS = frozenset(
    {
        "devto",
        "dribbble",
        "gmb",
        "hashnode",
        "listmonk",
        "medium",
        "mewe",
        "pinterest",
        "tiktok",
        "tiktok-business",
        "tumblr",
        "wordpress",
        "youtube",
    }
)


#: Networks whose stories nobody can comment on through their API.
_WITH_STORIES = frozenset({"instagram", "instagram-standalone", "facebook"})


def takes_threads(
    identifier: str | None, settings: Mapping[str, Any] = MappingProxyType({})
) -> bool:
    """Of a post with these settings. Also true of a network that is not known (yet): Postiz
    decides."""
    return identifier not in WITHOUT_THREADS and not _is_story(identifier, settings)


def explain_no_threads(identifier: str | None, settings: Mapping[str, Any]) -> str:
    """In words, of what `takes_threads` says no to."""
    kind = f"a story on {identifier}" if _is_story(identifier, settings) else identifier
    return f"{kind} has neither replies nor comments that Postiz can write"


def _is_story(identifier: str | None, settings: Mapping[str, Any]) -> bool:
    return identifier in _WITH_STORIES and settings.get("post_type") == "story"
