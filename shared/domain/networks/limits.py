"""What is known of each network's limits, as data: the value, its source, and its confidence.

Postiz's own limits were read in its source code. The networks' limits are documented by the
network, or only reported by others. An account may override any of them (limit_overrides.py).
docs/NETWORKS.md is generated from this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Confidence(StrEnum):
    CERTAIN = "certain"  # Postiz itself refuses: an error
    DOCUMENTED = "documented"  # the network says so: a warning
    REPORTED = "reported"  # users report it, and do not all agree: a warning


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a value is from, and when that was checked; None if the account's owner set it."""

    name: str
    checked: date | None
    confidence: Confidence


@dataclass(frozen=True, kw_only=True)
class Limit:
    """`value`: None means no limit. `shared`: counted over all channels of the network together."""

    value: float | None
    source: Source
    shared: bool = False


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a limit measures. `window`: the period of a rate; `whole`: whole numbers only."""

    words: str
    whole: bool = True
    window: timedelta | None = None


_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)

#: Every limit by its name, as in `rule_overrides`.
KINDS: Mapping[str, Kind] = {
    "characters": Kind(words="characters of a caption, at most"),
    "media_least": Kind(words="media of a post, at least"),
    "media_most": Kind(words="media of a post, at most"),
    "video_seconds_least": Kind(words="seconds of a video, at least", whole=False),
    "video_seconds_most": Kind(words="seconds of a video, at most", whole=False),
    "video_megabytes": Kind(words="megabytes (1,000,000 bytes) of a video, at most", whole=False),
    "video_aspect": Kind(words="width of a video divided by its height, advised", whole=False),
    "short_seconds_most": Kind(words="seconds of an upright video that is a Short", whole=False),
    "posts_per_day": Kind(words="posts of a channel in 24 hours", window=_DAY),
    "posts_per_3_hours": Kind(words="posts of a channel in 3 hours", window=3 * _HOUR),
    "posts_per_hour": Kind(words="posts of a channel in an hour", window=_HOUR),
    "posts_per_15_minutes": Kind(words="posts of a channel in 15 minutes", window=_HOUR / 4),
    "videos_per_day": Kind(words="posts with a video of a channel in 24 hours", window=_DAY),
}

Limits = Mapping[str, Limit]

#: When Postiz v2.23 was read and the networks' limits were collected; the day is not known.
_CONTRACT = date(2026, 8, 1)
_LOOKED = date(2026, 11, 22)
POSTIZ = Source(name="Postiz v2.23, its source", checked=_CONTRACT, confidence=Confidence.CERTAIN)


def _reported_source(name: str, checked: date) -> Source:
    return Source(name=name, checked=checked, confidence=Confidence.REPORTED)


def _documented_source(name: str) -> Source:
    return Source(name=name, checked=_LOOKED, confidence=Confidence.DOCUMENTED)


_GATHERED = _reported_source("gathered when Postiz was read", _CONTRACT)
_SERVICES = _reported_source("media guidelines of publishing services", _LOOKED)
_TIKTOK_POSTS = _reported_source("unpublished; users report 15 to 25", _CONTRACT)
_INSTAGRAM_POSTS = _reported_source("sources say 25, 50 and 100", _LOOKED)
_LINKEDIN_POSTS = _reported_source("sources say 100 and 150", _LOOKED)
_UNVERIFIED = _reported_source("guides to YouTube: accounts that are not verified", _LOOKED)
_FACEBOOK = _documented_source("Meta for Developers: Reels Publishing API")
_THREADS = _documented_source("Meta for Developers: Threads API, overview")
_YOUTUBE = _documented_source("Google for Developers: YouTube Data API, quota costs")
_SHORTS = _documented_source("YouTube Help: three-minute Shorts")
_X = _documented_source("X Developer Platform: media, size restrictions")
_MASTODON = _documented_source("Mastodon's source: what a server has unless it changed it")


def _limits_from(source: Source, *, shared: bool = False, **values: float) -> dict[str, Limit]:
    return {
        name: Limit(value=value, source=source, shared=shared) for name, value in values.items()
    }


def _postiz_limits(**values: float) -> dict[str, Limit]:
    return _limits_from(POSTIZ, shared=False, **values)


_UPRIGHT = 9 / 16

_ON_INSTAGRAM = (
    _postiz_limits(characters=2200, media_least=1, media_most=10)
    | _limits_from(_INSTAGRAM_POSTS, posts_per_day=25)
    | _limits_from(_SERVICES, video_seconds_least=3, video_seconds_most=900, video_megabytes=300)
)
_ON_LINKEDIN = (
    _postiz_limits(characters=3000)
    | _limits_from(_LINKEDIN_POSTS, posts_per_day=100)
    | _limits_from(_SERVICES, video_seconds_least=3, video_seconds_most=1800, video_megabytes=500)
)

#: By Postiz's `identifier`. Networks that are not listed have no known limits.
LIMITS: Mapping[str, Limits] = {
    "x": _postiz_limits(characters=280, media_most=4)
    | _limits_from(_GATHERED, posts_per_15_minutes=100, video_seconds_most=140)
    | _limits_from(_X, video_megabytes=512),
    "linkedin": _ON_LINKEDIN,
    "linkedin-page": _ON_LINKEDIN,
    "instagram": _ON_INSTAGRAM,
    "instagram-standalone": _ON_INSTAGRAM,
    "facebook": _postiz_limits(characters=63206)
    | _limits_from(
        _FACEBOOK,
        videos_per_day=30,
        video_seconds_least=3,
        video_seconds_most=90,
        video_aspect=_UPRIGHT,
    ),
    "tiktok": _postiz_limits(characters=2000, media_least=1)
    | _limits_from(_TIKTOK_POSTS, posts_per_day=15)
    | _limits_from(_SERVICES, video_seconds_least=3, video_seconds_most=600, video_megabytes=4000)
    | _limits_from(_SERVICES, video_aspect=_UPRIGHT),
    "youtube": _postiz_limits(characters=5000, media_least=1, media_most=1)
    | _limits_from(_YOUTUBE, shared=True, posts_per_day=100)
    | _limits_from(_SHORTS, short_seconds_most=180)
    | _limits_from(_UNVERIFIED, video_seconds_most=900),
    "pinterest": _postiz_limits(characters=500, media_least=1, media_most=5)
    | _limits_from(_SERVICES, video_seconds_least=4, video_seconds_most=900, video_megabytes=2000),
    "reddit": _postiz_limits(characters=10000),
    "threads": _postiz_limits(characters=500)
    | _limits_from(_THREADS, posts_per_day=250)
    | _limits_from(_GATHERED, video_seconds_most=300, video_megabytes=1000),
    "mastodon": _postiz_limits(characters=500) | _limits_from(_MASTODON, posts_per_3_hours=300),
    "telegram": _postiz_limits(characters=4096),
    "bluesky": _postiz_limits(characters=300, media_most=4)
    | _limits_from(_GATHERED, posts_per_hour=1666, videos_per_day=25)
    | _limits_from(_SERVICES, video_seconds_most=180, video_megabytes=100),
    "discord": _postiz_limits(characters=1980),
}

#: The largest size of a file in bytes, for every network; it cannot be overridden.
IMAGE_BYTES = 10 * 1024**2
VIDEO_BYTES = 1024**3
