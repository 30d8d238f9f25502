"""Whatever a server answers, a call ends in values that can be stored or in a known error."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import OutcomeUnknown, PublisherError, Transient
from shared.net.outbound_route import Route
from shared.postiz.client import Postiz
from shared.postiz.discovery import not_saved
from shared.postiz.payloads import Element

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TEXTS = st.text(st.characters()) | st.sampled_from(["2026-11-22T00:00:00Z", "p", "\ud800", "\0"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
NAMES = st.sampled_from(
    [
        *("id", "name", "identifier", "picture", "disabled", "profile", "connected"),
        *("posts", "state", "publishDate", "content", "integration", "releaseURL"),
        *("notifications", "createdAt", "postId", "path"),
        *("msg", "message", "provider", "statusCode"),
    ]
)
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=8),
    max_leaves=30,
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Date",
            "Retry-After",
            "Content-Type",
            "Location",
            "X-RateLimit-Limit",
            "X-RateLimit-Remaining",
            "X-RateLimit-Reset",
        ]
    ),
    st.text(st.characters(max_codepoint=255), max_size=30) | st.just("9" * 400),
)


class Canned:
    """In place of the transport: the same reply to every call."""

    def __init__(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.reply = requests.Response()
        self.reply.status_code = status
        self.reply._content = content
        self.reply.headers.update(headers)
        self.reply.request = requests.Request("GET", "https://postiz.example/x").prepare()

    def request(self, *_: Any, **__: Any) -> requests.Response:
        return self.reply


def postiz_that_answers(status: int, content: bytes, headers: dict[str, str]) -> Postiz:
    postiz = Postiz(
        "https://postiz.example", "key", check=not_saved, route=Route(allow_private=True)
    )
    postiz._transport = Canned(status, content, headers)  # type: ignore[assignment]
    return postiz


@given(
    st.integers(200, 599),
    BODIES.map(lambda body: json.dumps(body).encode()) | st.binary(),
    HEADERS,
)
def test_no_reply_ends_in_an_error_of_another_kind(
    status: int, content: bytes, headers: dict[str, str]
) -> None:
    postiz = postiz_that_answers(status, content, headers)
    elements = [Element(integration_id="x", content="hello", settings={})]
    for call in (
        postiz.connected,
        postiz.integrations,
        postiz.notifications,
        postiz.has_status_route,
        lambda: postiz.window(NOW, NOW),
        lambda: postiz.stage(NOW, elements),
        lambda: postiz.release("some-id"),
        lambda: postiz.delete("some-id"),
    ):
        try:
            repr(call()).encode()
        except PublisherError as error:
            assert "\0" not in error.message
            error.message.encode()


@given(BODIES, HEADERS)
def test_a_success_that_cannot_be_read_is_transient_for_a_read_and_unclear_for_a_write(
    body: object, headers: dict[str, str]
) -> None:
    postiz = postiz_that_answers(200, json.dumps(body).encode(), headers)
    with pytest.raises(OutcomeUnknown):
        postiz.move(NOW, [Element(integration_id="x", content="a", settings={})] * 9)
    try:
        postiz.integrations()
    except PublisherError as error:
        assert isinstance(error, Transient)
