"""The settings and media that each network requires, as data.

See docs/POSTIZ.md, "Required settings per network".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.domain.networks.caption_length import plain_length, weighted_length
from shared.domain.networks.medium import Medium

#: Returns in words what is wrong with a value, or None.
Check = Callable[[Any], str | None]


def text_check(least: int = 1, most: int | None = None, hint: str = "") -> Check:
    def check_value(value: Any) -> str | None:
        length = plain_length(value) if isinstance(value, str) else -1
        fits = length >= least and (not most or length <= most)
        span = f"a text of {least} to {most} characters" if most else "a text"
        return None if fits else f"must be {span}{hint}"

    return check_value


def one_of(*values: str) -> Check:
    def check_value(value: Any) -> str | None:
        return None if value in values else f"must be one of {', '.join(values)}"

    return check_value


def check_flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def check_subreddits(value: Any) -> str | None:
    names = ("subreddit", "title", "type", "is_flair_required")
    rows = value if isinstance(value, list) else []
    complete = [
        isinstance(row, dict)
        and isinstance(row.get("value"), dict)
        and all(name in row["value"] for name in names)
        for row in rows
    ]
    if complete and all(complete):
        return None
    return 'must be a list of {"value": {"subreddit", "title", "type", "is_flair_required"}}'


Media = Sequence[Medium]
#: Returns in words what is wrong with the kinds of a post's media, or None.
MediaRule = Callable[[Media], str | None]


def check_lone_video(media: Media) -> str | None:
    if any(medium.is_video for medium in media) and len(media) > 1:
        return "a video must be the only medium"
    return None


def check_video_only(media: Media) -> str | None:
    fits = all(medium.is_video for medium in media if medium.mime is not None)
    return None if fits else "needs an mp4 video, not an image"


def check_video_cover(media: Media) -> str | None:
    if not any(medium.is_video for medium in media):
        return None
    fits = len(media) == 2 and media[0].is_video and not media[1].is_video
    return None if fits else "a video needs a cover image second, and nothing else"


def allow_any_media(_media: Media) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Network:
    """What a network requires besides its limits. `media`: a rule on the kinds of media."""

    length: Callable[[str], int] = plain_length
    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)
    media: MediaRule = allow_any_media


_REPLIERS = one_of("everyone", "following", "mentionedUsers", "subscribers", "verified")
_PRIVACY = ", such as PUBLIC_TO_EVERYONE, MUTUAL_FOLLOW_FRIENDS, FOLLOWER_OF_CREATOR, SELF_ONLY"

_INSTAGRAM = Network(required={"post_type": one_of("post", "story")})
_LINKEDIN = Network(media=check_lone_video)
_TIKTOK = Network(
    required={
        "privacy_level": text_check(hint=_PRIVACY),
        "duet": check_flag,
        "stitch": check_flag,
        "comment": check_flag,
        "autoAddMusic": one_of("yes", "no"),
        "brand_content_toggle": check_flag,
        "brand_organic_toggle": check_flag,
        "content_posting_method": one_of("DIRECT_POST", "UPLOAD"),
    },
    optional={"title": text_check(least=0, most=90)},
    media=check_lone_video,
)

#: By Postiz's `identifier`. Networks that are not listed have no known rules. From the source of
#: Postiz v2.23 (limits.POSTIZ), like the numbers in shared/domain/networks/limits.py.
NETWORKS: Mapping[str, Network] = {
    "x": Network(
        length=weighted_length,
        required={"who_can_reply_post": _REPLIERS},
        media=check_lone_video,
    ),
    "linkedin": _LINKEDIN,
    "linkedin-page": _LINKEDIN,
    "instagram": _INSTAGRAM,
    "instagram-standalone": _INSTAGRAM,
    "facebook": Network(),
    "tiktok": _TIKTOK,
    "youtube": Network(
        required={"title": text_check(2, 100), "type": one_of("public", "private", "unlisted")},
        media=check_video_only,
    ),
    "pinterest": Network(
        required={"board": text_check(hint=", the id of a board in Postiz")},
        media=check_video_cover,
    ),
    "reddit": Network(required={"subreddit": check_subreddits}),
    "threads": Network(),
    "mastodon": Network(),
    "telegram": Network(),
    "bluesky": Network(media=check_lone_video),
    "discord": Network(required={"channel": text_check(hint=", the id of a channel in Postiz")}),
}
#: Postiz's other identifiers of a network: what a request says for the network applies to them too.
PLATFORMS: Mapping[str, str] = {"linkedin-page": "linkedin", "instagram-standalone": "instagram"}
