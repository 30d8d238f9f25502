"""POST /posts and its kin: what a body must look like, and in which words it is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from . import replies
from .dates import to_ms
from .networks import rule_problem, settings_problems
from .replies import Refused
from .urls import BAD_EXTENSION, has_valid_extension

EMPTY = "If images do not exist, content must be a non-empty string."
STATUSES = ("draft", "schedule")


class Channel(Protocol):
    """What validation needs to know of an integration."""

    @property
    def id(self) -> str: ...
    @property
    def identifier(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Value:
    id: str | None
    content: str
    image: list[dict[str, Any]]
    delay: float  # minutes after the part before it


@dataclass(frozen=True, kw_only=True)
class Element:
    integration: str
    group: str | None
    settings: dict[str, Any]
    values: list[Value]


@dataclass(frozen=True, kw_only=True)
class PostCall:
    type: str
    date_ms: int
    tags: list[Any]
    interval: int | None
    elements: list[Element]


def read_post_call(body: Any, channels: Mapping[str, Channel]) -> PostCall:
    """The call that `body` makes; raises Refused, in the order Postiz checks."""
    call = body if isinstance(body, dict) else {}
    elements = _elements(call)
    owners = [_owner(element, channels) for element in elements]
    problems = _call_problems(call, elements, owners)
    if problems:
        raise Refused(replies.bad_request(problems))
    read = _read(call, elements, owners)
    if read.type != "draft":
        _check_network_rules(read, owners)
    return read


def _elements(call: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    elements = call.get("posts")
    if not isinstance(elements, list) or not all(_integration_id(each) for each in elements):
        raise Refused(replies.bad_request("All posts must have an integration id"))
    return elements


def _integration_id(element: Any) -> Any:
    integration = element.get("integration") if isinstance(element, dict) else None
    return integration.get("id") if isinstance(integration, dict) else None


def _owner(element: Mapping[str, Any], channels: Mapping[str, Channel]) -> Channel:
    wanted = _integration_id(element)
    if not isinstance(wanted, str) or wanted not in channels:
        raise Refused(replies.bad_request(f"Integration with id {wanted} not found"))
    return channels[wanted]


def _call_problems(
    call: Mapping[str, Any], elements: Sequence[Mapping[str, Any]], owners: Sequence[Channel]
) -> list[str]:
    short_link, date, tags = call.get("shortLink"), call.get("date"), call.get("tags")
    checks = [
        (short_link is None, "shortLink should not be null or undefined"),
        (not isinstance(short_link, bool), "shortLink must be a boolean value"),
        (date is None, "date should not be null or undefined"),
        (to_ms(date) is None, "date must be a valid ISO 8601 date string"),
        (tags is None, "tags should not be null or undefined"),
        (not isinstance(tags, list), "tags must be an array"),
        (not elements, "posts must contain at least 1 elements"),
    ]
    found = [message for wrong, message in checks if wrong]
    for index, (element, owner) in enumerate(zip(elements, owners, strict=True)):
        found += _element_problems(element, owner, f"posts.{index}.")
    return found


def _element_problems(element: Mapping[str, Any], owner: Channel, prefix: str) -> list[str]:
    value = element.get("value")
    checks = [
        (value is None, f"{prefix}value should not be null or undefined"),
        (not isinstance(value, list), f"{prefix}value must be an array"),
        (
            not isinstance(value, list) or not value,
            f"{prefix}value must contain at least 1 elements",
        ),
    ]
    found = [message for wrong, message in checks if wrong]
    for index, item in enumerate(value if isinstance(value, list) else []):
        found += _value_problems(item, f"{prefix}value.{index}.")
    return found + settings_problems(owner.identifier, _settings(element), f"{prefix}settings.")


def _value_problems(item: Any, prefix: str) -> list[str]:
    value = item if isinstance(item, dict) else {}
    content, image = value.get("content"), value.get("image")
    has_text = isinstance(content, str) and content.strip()
    found = [] if has_text or image else [f"{prefix} {EMPTY}"]
    if not _is_number(value.get("delay")):
        found.append(f"{prefix}delay must be a number conforming to the specified constraints")
    if not isinstance(image, list):
        return [*found, f"{prefix}image must be an array"]
    for index, media in enumerate(image):
        found += _media_problems(media, f"{prefix}image.{index}.")
    return found


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _media_problems(item: Any, prefix: str) -> list[str]:
    media = item if isinstance(item, dict) else {}
    name, path = media.get("id"), media.get("path")
    checks = [
        (name is None, f"{prefix}id should not be null or undefined"),
        (not isinstance(name, str), f"{prefix}id must be a string"),
        (path is None, f"{prefix}path should not be null or undefined"),
        (not has_valid_extension(path), f"{prefix}{BAD_EXTENSION}"),
        (not isinstance(path, str), f"{prefix}path must be a string"),
    ]
    return [message for wrong, message in checks if wrong]


def _settings(element: Mapping[str, Any]) -> dict[str, Any]:
    settings = element.get("settings")
    return settings if isinstance(settings, dict) else {}


def _read(
    call: Mapping[str, Any], elements: Sequence[Mapping[str, Any]], owners: Sequence[Channel]
) -> PostCall:
    date_ms = to_ms(call["date"])
    assert date_ms is not None
    interval = call.get("inter")
    return PostCall(
        type=str(call.get("type", "schedule")),
        date_ms=date_ms,
        tags=call["tags"],
        interval=interval if isinstance(interval, int) else None,
        elements=[_read_element(*pair) for pair in zip(elements, owners, strict=True)],
    )


def _read_element(element: Mapping[str, Any], owner: Channel) -> Element:
    group = element.get("group")
    return Element(
        integration=owner.id,
        group=group if isinstance(group, str) else None,
        settings={**_settings(element), "__type": owner.identifier},
        values=[_read_value(value) for value in element["value"]],
    )


def _read_value(value: Mapping[str, Any]) -> Value:
    known = value.get("id")
    return Value(
        id=known if isinstance(known, str) else None,
        content=value.get("content") or "",
        image=value["image"],
        delay=value.get("delay") or 0,
    )


def _check_network_rules(call: PostCall, owners: Sequence[Channel]) -> None:
    for element, owner in zip(call.elements, owners, strict=True):
        values = [
            (value.content, [str(media["path"]) for media in value.image])
            for value in element.values
        ]
        message = rule_problem(owner.identifier, values, element.settings)
        if message:
            refusal = replies.provider_rule(
                provider=owner.identifier, name=owner.name, message=message
            )
            raise Refused(refusal)


def read_status(body: Any) -> str:
    status = body.get("status") if isinstance(body, dict) else None
    if status not in STATUSES:
        message = f"status must be one of the following values: {', '.join(STATUSES)}"
        raise Refused(replies.bad_request([message]))
    return str(status)


def read_window(query: Mapping[str, str]) -> tuple[int, int]:
    """Both ends of the window of GET /posts, in epoch milliseconds, both inclusive."""
    names = ("startDate", "endDate")
    ends = [to_ms(query.get(name)) for name in names]
    problems = [
        f"{name} must be a valid ISO 8601 date string"
        for name, end in zip(names, ends, strict=True)
        if end is None
    ]
    if problems:
        raise Refused(replies.bad_request(problems))
    start, end = ends
    assert start is not None
    assert end is not None
    return start, end
