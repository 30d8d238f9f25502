"""What each network demands, as data: POSTIZ.md, "Required settings per network"."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.domain.lengths import plain_length, weighted_length

#: Says in words what is wrong with a value, or None.
Check = Callable[[Any], str | None]
#: What of a medium the rules look at: its type, None while it is not yet fetched.
Mimes = Sequence[str | None]


def text(least: int = 1, most: int | None = None, hint: str = "") -> Check:
    def check(value: Any) -> str | None:
        fits = isinstance(value, str) and least <= len(value) and (not most or len(value) <= most)
        span = f"a text of {least} to {most} characters" if most else "a text"
        return None if fits else f"must be {span}{hint}"

    return check


def one_of(*values: str) -> Check:
    def check(value: Any) -> str | None:
        return None if value in values else f"must be one of {', '.join(values)}"

    return check


def flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def subreddits(value: Any) -> str | None:
    names = ("subreddit", "title", "type", "is_flair_required")
    rows = value if isinstance(value, list) else []
    whole = [
        isinstance(row, dict)
        and isinstance(row.get("value"), dict)
        and all(name in row["value"] for name in names)
        for row in rows
    ]
    if whole and all(whole):
        return None
    return 'must be a list of {"value": {"subreddit", "title", "type", "is_flair_required"}}'


def is_video(mime: str | None) -> bool:
    return mime is not None and mime.startswith("video/")


def video_stands_alone(mimes: Mimes) -> str | None:
    if any(map(is_video, mimes)) and len(mimes) > 1:
        return "a video must be the only medium"
    return None


def video_only(mimes: Mimes) -> str | None:
    known = [mime for mime in mimes if mime is not None]
    return None if all(map(is_video, known)) else "needs an mp4 video, not an image"


def cover_behind_video(mimes: Mimes) -> str | None:
    if not any(map(is_video, mimes)):
        return None
    fits = len(mimes) == 2 and is_video(mimes[0]) and not is_video(mimes[1])
    return None if fits else "a video needs a cover image second, and nothing else"


def anything(_mimes: Mimes) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Network:
    """`characters`: at most; `least` and `most`: how many media; `media`: a rule on their kinds."""

    characters: int
    length: Callable[[str], int] = plain_length
    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)
    least: int = 0
    most: int | None = None
    media: Callable[[Mimes], str | None] = anything


_REPLIERS = one_of("everyone", "following", "mentionedUsers", "subscribers", "verified")
_PRIVACY = ", such as PUBLIC_TO_EVERYONE, MUTUAL_FOLLOW_FRIENDS, FOLLOWER_OF_CREATOR, SELF_ONLY"

_INSTAGRAM = Network(
    characters=2200, required={"post_type": one_of("post", "story")}, least=1, most=10
)
_LINKEDIN = Network(characters=3000, media=video_stands_alone)
_TIKTOK = Network(
    characters=2000,
    required={
        "privacy_level": text(hint=_PRIVACY),
        "duet": flag,
        "stitch": flag,
        "comment": flag,
        "autoAddMusic": one_of("yes", "no"),
        "brand_content_toggle": flag,
        "brand_organic_toggle": flag,
        "content_posting_method": one_of("DIRECT_POST", "UPLOAD"),
    },
    optional={"title": text(least=0, most=90)},
    least=1,
    media=video_stands_alone,
)

#: By Postiz's `identifier`; a network that is not here has no rules that we know.
NETWORKS: Mapping[str, Network] = {
    "x": Network(
        characters=280,
        length=weighted_length,
        required={"who_can_reply_post": _REPLIERS},
        most=4,
        media=video_stands_alone,
    ),
    "linkedin": _LINKEDIN,
    "linkedin-page": _LINKEDIN,
    "instagram": _INSTAGRAM,
    "instagram-standalone": _INSTAGRAM,
    "facebook": Network(characters=63206),
    "tiktok": _TIKTOK,
    "youtube": Network(
        characters=5000,
        required={"title": text(2, 100), "type": one_of("public", "private", "unlisted")},
        least=1,
        most=1,
        media=video_only,
    ),
    "pinterest": Network(
        characters=500, required={"board": text()}, least=1, most=5, media=cover_behind_video
    ),
    "reddit": Network(characters=10000, required={"subreddit": subreddits}),
    "threads": Network(characters=500),
    "mastodon": Network(characters=500),
    "telegram": Network(characters=4096),
    "bluesky": Network(characters=300, most=4, media=video_stands_alone),
    "discord": Network(characters=1980, required={"channel": text()}),
}
