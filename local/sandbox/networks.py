"""The networks: the settings each demands, and the rules of length and media it applies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .content import weighted_length

Check = Callable[[str, Any], str | None]


def defined(name: str, value: Any) -> str | None:
    return f"{name} should not be null or undefined" if value is None else None


def string(name: str, value: Any) -> str | None:
    return None if isinstance(value, str) else f"{name} must be a string"


def boolean(name: str, value: Any) -> str | None:
    return None if isinstance(value, bool) else f"{name} must be a boolean value"


def at_most(length: int) -> Check:
    def check(name: str, value: Any) -> str | None:
        fits = isinstance(value, str) and len(value) <= length
        return None if fits else f"{name} must be shorter than or equal to {length} characters"

    return check


def at_least(length: int) -> Check:
    def check(name: str, value: Any) -> str | None:
        fits = isinstance(value, str) and len(value) >= length
        return None if fits else f"{name} must be longer than or equal to {length} characters"

    return check


def one_of(*values: str) -> Check:
    def check(name: str, value: Any) -> str | None:
        listed = ", ".join(values)
        return None if value in values else f"{name} must be one of the following values: {listed}"

    return check


def filled_list(name: str, value: Any) -> str | None:
    return None if isinstance(value, list) and value else f"{name} must contain at least 1 elements"


@dataclass(frozen=True, kw_only=True)
class Setting:
    checks: tuple[Check, ...]
    schema: Mapping[str, Any]
    required: bool = True


MediaRule = Callable[[Sequence[str]], str | None]
"""Takes the paths of a value's media; returns what is wrong with them."""


def _videos(paths: Sequence[str]) -> int:
    return sum(path.split("?")[0].endswith(".mp4") for path in paths)


def anything(paths: Sequence[str]) -> str | None:
    return None


def four_images_or_a_video(paths: Sequence[str]) -> str | None:
    if _videos(paths) and len(paths) > 1:
        return "Only one video, without images, fits into a post"
    return "At most 4 images fit into a post" if len(paths) > 4 else None


def video_alone(paths: Sequence[str]) -> str | None:
    return "A video must be the only media of a post" if _videos(paths) and paths[1:] else None


def up_to_ten(paths: Sequence[str]) -> str | None:
    if not paths:
        return "At least one image or video is needed"
    return "At most 10 images or videos fit into a post" if len(paths) > 10 else None


def tiktok_media(paths: Sequence[str]) -> str | None:
    return video_alone(paths) if paths else "No video / images selected"


def one_video(paths: Sequence[str]) -> str | None:
    return None if len(paths) == 1 and _videos(paths) == 1 else "Exactly one mp4 video is needed"


def pin_media(paths: Sequence[str]) -> str | None:
    if not 1 <= len(paths) <= 5:
        return "A pin needs 1 to 5 media"
    if _videos(paths) and (len(paths) != 2 or _videos(paths[1:])):
        return "A video pin needs its cover image second"
    return None


@dataclass(frozen=True, kw_only=True)
class Network:
    name: str
    max_length: int
    settings: Mapping[str, Setting] = field(default_factory=dict)
    media: MediaRule = anything
    length: Callable[[str], int] = len
    tools: Mapping[str, Any] = field(default_factory=dict)
    comments: bool = True  # else only the first part of a thread is sent
    processes_videos: bool = True  # so that a post with one is pending for a while


def _choice(*values: str, checks: tuple[Check, ...] = ()) -> Setting:
    schema = {"type": "string", "enum": list(values)}
    return Setting(checks=(*checks, one_of(*values)), schema=schema)


_FLAG = Setting(checks=(boolean,), schema={"type": "boolean"})
_NAME = Setting(checks=(defined, at_least(1), string), schema={"type": "string"})
_INSTAGRAM = Network(
    name="Instagram",
    max_length=2200,
    settings={"post_type": _choice("post", "story")},
    media=up_to_ten,
)
_LINKEDIN = Network(name="LinkedIn", max_length=3000, media=video_alone)

NETWORKS: Mapping[str, Network] = {
    "x": Network(
        name="X",
        max_length=280,
        length=weighted_length,
        media=four_images_or_a_video,
        settings={
            "who_can_reply_post": _choice(
                "everyone", "following", "mentionedUsers", "subscribers", "verified"
            )
        },
    ),
    "linkedin": _LINKEDIN,
    "linkedin-page": _LINKEDIN,
    "instagram": _INSTAGRAM,
    "instagram-standalone": _INSTAGRAM,
    "facebook": Network(
        name="Facebook",
        max_length=63206,
        settings={"post_type": Setting(checks=(), schema={"type": "string"}, required=False)},
    ),
    "tiktok": Network(
        name="TikTok",
        comments=False,
        max_length=2000,
        media=tiktok_media,
        settings={
            "title": Setting(
                checks=(at_most(90),), schema={"type": "string", "maxLength": 90}, required=False
            ),
            "privacy_level": _choice(
                "PUBLIC_TO_EVERYONE",
                "MUTUAL_FOLLOW_FRIENDS",
                "FOLLOWER_OF_CREATOR",
                "SELF_ONLY",
                checks=(string,),
            ),
            "duet": _FLAG,
            "stitch": _FLAG,
            "comment": _FLAG,
            "autoAddMusic": _choice("yes", "no"),
            "brand_content_toggle": _FLAG,
            "brand_organic_toggle": _FLAG,
            "content_posting_method": _choice("DIRECT_POST", "UPLOAD", checks=(string,)),
        },
    ),
    "youtube": Network(
        name="YouTube",
        comments=False,
        max_length=5000,
        media=one_video,
        settings={
            "title": Setting(
                checks=(defined, at_most(100), at_least(2), string),
                schema={"type": "string", "minLength": 2, "maxLength": 100},
            ),
            "type": _choice("public", "private", "unlisted", checks=(defined,)),
        },
    ),
    "pinterest": Network(
        name="Pinterest",
        comments=False,
        max_length=500,
        media=pin_media,
        settings={"board": _NAME},
        tools={"boards": [{"id": "board-1", "name": "Ideas"}]},
    ),
    "reddit": Network(
        name="Reddit",
        max_length=10000,
        settings={"subreddit": Setting(checks=(defined, filled_list), schema={"type": "array"})},
    ),
    "threads": Network(name="Threads", max_length=500),
    "mastodon": Network(name="Mastodon", max_length=500),
    "telegram": Network(name="Telegram", max_length=4096, processes_videos=False),
    "bluesky": Network(name="Bluesky", max_length=300, media=four_images_or_a_video),
    "discord": Network(
        name="Discord",
        processes_videos=False,
        max_length=1980,
        settings={"channel": _NAME},
        tools={"channels": [{"id": "channel-1", "name": "general"}]},
    ),
}


def network(identifier: str) -> Network:
    return NETWORKS.get(identifier, Network(name=identifier.capitalize(), max_length=500))


def settings_problems(identifier: str, settings: Mapping[str, Any], prefix: str) -> list[str]:
    found: list[str] = []
    for name, setting in network(identifier).settings.items():
        value = settings.get(name)
        if setting.required or value is not None:
            results = (check(prefix + name, value) for check in setting.checks)
            found += [message for message in results if message]
    return found


def rule_problem(
    identifier: str,
    values: Sequence[tuple[str, Sequence[str]]],
    settings: Mapping[str, Any],
    *,
    later: bool = False,
) -> str | None:
    """What the network itself would refuse in these (content, media paths), first of all.

    `later`: they are parts of a thread after its first one.
    """
    rules = network(identifier)
    for content, _ in values:
        if rules.length(content) > rules.max_length:
            return "post is too long, please fix it"
    if later:
        return None
    if identifier == "facebook" and settings.get("post_type") == "story" and not values[0][1]:
        return "A story needs an image or a video"
    return rules.media(values[0][1])


def describe(identifier: str) -> dict[str, Any]:
    """What GET /integration-settings/:id tells of a network."""
    rules = network(identifier)
    schema = {
        "properties": {name: setting.schema for name, setting in rules.settings.items()},
        "type": "object",
        "required": [name for name, setting in rules.settings.items() if setting.required],
    }
    settings = schema if rules.settings else "No additional settings required"
    tools = [{"methodName": name, "description": "", "dataSchema": []} for name in rules.tools]
    text = f"{rules.name} takes at most {rules.max_length} characters." if rules.settings else ""
    output = {"rules": text, "maxLength": rules.max_length, "settings": settings, "tools": tools}
    return {"output": output}
