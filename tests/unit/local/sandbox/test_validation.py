"""The sandbox reads a POST /posts as Postiz does, and refuses in the same order."""

from dataclasses import dataclass
from typing import Any

import pytest

from local.sandbox.replies import Refused
from local.sandbox.validation import read_post_call, read_status, read_window


@dataclass(frozen=True)
class Channel:
    id: str
    identifier: str
    name: str


CHANNELS = {
    "int-x": Channel("int-x", "x", "X Chan"),
    "int-m": Channel("int-m", "mastodon", "Masto"),
}


def call(integration: str = "int-m", content: str = "hello", **changes: Any) -> dict[str, Any]:
    value = [{"content": content, "image": []}]
    post = {"integration": {"id": integration}, "settings": {}, "value": value}
    body = {"type": "draft", "date": "2026-12-20T10:00:00.123Z", "shortLink": False, "tags": []}
    return {**body, "posts": [post], **changes}


def refusal(body: object) -> dict[str, Any]:
    with pytest.raises(Refused) as caught:
        read_post_call(body, CHANNELS)
    return dict(caught.value.reply.body)


def test_call_is_read() -> None:
    read = read_post_call(call(), CHANNELS)
    (element,) = read.elements
    assert (read.type, read.date_ms % 1000) == ("draft", 123)
    assert element.settings == {"__type": "mastodon"}
    assert [value.content for value in element.values] == ["hello"]


def test_type_of_the_settings_is_overwritten_in_its_place() -> None:
    body = call()
    body["posts"][0]["settings"] = {"__type": "tiktok", "client_ref": "job-42"}
    (element,) = read_post_call(body, CHANNELS).elements
    assert list(element.settings.items()) == [("__type", "mastodon"), ("client_ref", "job-42")]


@pytest.mark.parametrize("body", [{}, [], {"posts": None}, {"posts": [{}]}, {"posts": ["x"]}])
def test_missing_integrations_come_before_everything(body: object) -> None:
    assert refusal(body)["message"] == "All posts must have an integration id"


def test_unknown_integration_comes_before_the_fields() -> None:
    assert refusal({"posts": [{"integration": {"id": "nope"}}]})["message"] == (
        "Integration with id nope not found"
    )


def test_every_wrong_field_is_named() -> None:
    body = call(shortLink=None, date="tomorrow", tags=None)
    assert refusal(body)["message"] == [
        "shortLink should not be null or undefined",
        "shortLink must be a boolean value",
        "date must be a valid ISO 8601 date string",
        "tags should not be null or undefined",
        "tags must be an array",
    ]


def test_draft_may_break_the_rules_of_its_network_but_not_of_its_settings() -> None:
    assert read_post_call(call(content="a" * 501), CHANNELS).type == "draft"
    assert refusal(call(type="schedule", content="a" * 501)) == {
        "statusCode": 400,
        "provider": "mastodon",
        "name": "Masto",
        "message": "post is too long, please fix it",
    }
    assert "who_can_reply_post" in refusal(call(integration="int-x"))["message"][0]


@pytest.mark.parametrize("status", [None, "now", 1])
def test_status_is_draft_or_schedule(status: object) -> None:
    with pytest.raises(Refused):
        read_status({"status": status})
    assert read_status({"status": "schedule"}) == "schedule"


def test_window_needs_both_ends() -> None:
    start = "2026-12-20T10:00:00.123Z"
    first, last = read_window({"startDate": start, "endDate": start})
    assert first == last
    with pytest.raises(Refused) as caught:
        read_window({"startDate": start})
    assert caught.value.reply.body["message"] == ["endDate must be a valid ISO 8601 date string"]
