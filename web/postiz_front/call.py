"""The body of `POST /posts`: what it asks for, or in Postiz's words what is wrong with it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from shared.domain.networks.channel import Channel
from shared.domain.networks.thread_support import MAX_DELAY, MAX_PARTS
from web.postiz_front import replies
from web.postiz_front.setting_words import find_setting_faults

NOW, DRAFT, UPDATE = "now", "draft", "update"
#: What a path of a medium ends in.
ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".mp4")
BAD_ENDING = "File must have a valid extension: .png, .jpg, .jpeg, .gif, .webp, or .mp4"
#: The most media of one part.
MAX_MEDIA = 100
_EMPTY = "If images do not exist, content must be a non-empty string."
_NO_ID = "All posts must have an integration id"
Channels = Mapping[str, Channel]


@dataclass(frozen=True, kw_only=True)
class Part:
    """`paths`: of its media. `delay_minutes`: after the part before it."""

    content: str
    paths: Sequence[str]
    delay_minutes: int = 0


@dataclass(frozen=True, kw_only=True)
class Element:
    """One post. `settings`: None where the body has none. `post_id`: of a post to be changed."""

    channel_id: str
    settings: dict[str, Any] | None
    post_id: str | None
    parts: Sequence[Part]


@dataclass(frozen=True, kw_only=True)
class PostCall:
    """`kind`: any other than those above means `schedule`, as in Postiz."""

    kind: str
    date: datetime
    elements: Sequence[Element] = field(default_factory=list)

    @property
    def is_draft(self) -> bool:
        return self.kind == DRAFT


def require_channel_ids(body: Any) -> list[str]:
    """Of the channels of all elements, in their order. Raises `Refused`."""
    elements = body.get("posts") if isinstance(body, dict) else None
    ids = [_channel_id(each) for each in elements] if isinstance(elements, list) else [None]
    if not all(ids):
        raise replies.bad_request(_NO_ID)
    return [str(each) for each in ids]


def _channel_id(element: Any) -> Any:
    named = element.get("integration") if isinstance(element, dict) else None
    return named.get("id") if isinstance(named, dict) else None


def read_call(body: Any, channels: Channels | None) -> PostCall:
    """`body` has channel ids; `channels`: by id, None while Postiz's list is not known.

    Raises `Refused`, in the order in which Postiz checks.
    """
    ids = require_channel_ids(body)
    for channel_id in ids:
        if channels is not None and channel_id not in channels:
            raise replies.bad_request(f"Integration with id {channel_id} not found")
    faults = [*_find_faults(body), *_find_element_faults(body["posts"], ids, channels or {})]
    if faults:
        raise replies.bad_request(faults)
    date = read_time(body["date"])
    assert date is not None
    kind = body.get("type")
    return PostCall(
        kind=kind if isinstance(kind, str) else "",
        date=date,
        elements=[_read_element(*each) for each in zip(ids, body["posts"], strict=True)],
    )


def _find_faults(body: Mapping[str, Any]) -> Iterator[str]:
    short, date, tags = body.get("shortLink"), body.get("date"), body.get("tags")
    checks = (
        (short is None, "shortLink should not be null or undefined"),
        (not isinstance(short, bool), "shortLink must be a boolean value"),
        (date is None, "date should not be null or undefined"),
        (read_time(date) is None, "date must be a valid ISO 8601 date string"),
        (tags is None, "tags should not be null or undefined"),
        (not isinstance(tags, list), "tags must be an array"),
        (not body["posts"], "posts must contain at least 1 elements"),
        (bool(body.get("inter")), "inter is not supported: make a schedule in Pressroom instead"),
    )
    yield from (words for is_wrong, words in checks if is_wrong)


def _find_element_faults(
    elements: Sequence[Mapping[str, Any]], ids: Sequence[str], channels: Channels
) -> Iterator[str]:
    for index, (element, channel_id) in enumerate(zip(elements, ids, strict=True)):
        path, value = f"posts.{index}.", element.get("value")
        if value is None:
            yield f"{path}value should not be null or undefined"
        if not isinstance(value, list):
            yield f"{path}value must be an array"
        if not value or not isinstance(value, list):
            yield f"{path}value must contain at least 1 elements"
        elif len(value) > MAX_PARTS + 1:
            yield f"{path}value must contain no more than {MAX_PARTS + 1} elements"
        else:
            for number, part in enumerate(value):
                yield from _find_part_faults(part, f"{path}value.{number}.")
        settings, channel = element.get("settings"), channels.get(channel_id)
        if settings is not None and channel is not None:
            given = settings if isinstance(settings, dict) else {}
            yield from find_setting_faults(channel.identifier, given, f"{path}settings.")


def _find_part_faults(part: Any, path: str) -> Iterator[str]:
    given = part if isinstance(part, dict) else {}
    content, images = given.get("content"), given.get("image")
    has_text = isinstance(content, str) and bool(content.strip())
    if not has_text and not images:
        yield f"{path} {_EMPTY}"
    if not _is_delay(given.get("delay")):
        yield f"{path}delay must be a number of minutes from 0 to {MAX_DELAY}"
    if not isinstance(images, list):
        yield f"{path}image must be an array"
        return
    if len(images) > MAX_MEDIA:
        yield f"{path}image must contain no more than {MAX_MEDIA} elements"
        return
    for number, image in enumerate(images):
        yield from _find_image_faults(image, f"{path}image.{number}.")


def _is_delay(value: Any) -> bool:
    if value is None:
        return True
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= MAX_DELAY


def _find_image_faults(image: Any, path: str) -> Iterator[str]:
    given = image if isinstance(image, dict) else {}
    name, where = given.get("id"), given.get("path")
    checks = (
        (name is None, f"{path}id should not be null or undefined"),
        (not isinstance(name, str), f"{path}id must be a string"),
        (where is None, f"{path}path should not be null or undefined"),
        (not has_valid_ending(where), f"{path}{BAD_ENDING}"),
        (not isinstance(where, str), f"{path}path must be a string"),
    )
    yield from (words for is_wrong, words in checks if is_wrong)


def has_valid_ending(path: Any) -> bool:
    """Of the path of an address, without what follows it. As in Postiz, in small letters."""
    if not isinstance(path, str):
        return False
    try:
        return urlsplit(path).path.endswith(ENDINGS)
    except ValueError:
        return False


def read_time(value: Any) -> datetime | None:
    """A moment of ISO 8601 in UTC, which it also is without a zone; None for anything else."""
    if not isinstance(value, str) or not value[:4].isdigit() or value[4:5] != "-":
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _read_element(channel_id: str, element: Mapping[str, Any]) -> Element:
    settings = element.get("settings")
    if isinstance(settings, dict):
        settings = {name: value for name, value in settings.items() if name != "__type"}
    known = element["value"][0].get("id")
    return Element(
        channel_id=channel_id,
        settings=settings if isinstance(settings, dict) else None,
        post_id=known if isinstance(known, str) and known else None,
        parts=[_read_part(part) for part in element["value"]],
    )


def _read_part(part: Mapping[str, Any]) -> Part:
    content = part.get("content")
    return Part(
        content=content if isinstance(content, str) else "",
        paths=[image["path"] for image in part["image"]],
        delay_minutes=math.ceil(part.get("delay") or 0),
    )
