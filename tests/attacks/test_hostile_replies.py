"""Attack 5: a Postiz that answers with too much, or with nonsense, costs little, harms nothing.

Whatever it answers, a read ends in `Transient`, and a write that may have happened in
`OutcomeUnknown`: it is never sent again.
"""

import io
import json
import tracemalloc
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import OutcomeUnknown, PublisherError, Transient
from shared.net.bounded_body import MAX_BYTES
from shared.net.outbound_route import Route
from shared.postiz.client import Postiz
from shared.postiz.discovery import not_saved
from shared.postiz.payloads import Element
from tests.servers.raw_server import Endless, RawServer, answering, body, bomb, head

NOW = datetime(2026, 11, 22, tzinfo=UTC)
JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"
PIECE = b"[[[[" * 16_384
#: What the sockets of both sides hold besides what is read.
BUFFERS = 24 * 1024**2


class File(io.BytesIO):
    len = 4


def stage(postiz: Postiz) -> object:
    elements = [Element(integration_id="x", content=text, settings={}) for text in ("a", "b")]
    return postiz.stage(NOW, elements)


READS: dict[str, Callable[[Postiz], object]] = {
    "connected": Postiz.connected,
    "integrations": Postiz.integrations,
    "notifications": Postiz.notifications,
    "window": lambda postiz: postiz.window(NOW, NOW),
}
WRITES: dict[str, Callable[[Postiz], object]] = {
    "stage": stage,
    "upload": lambda postiz: postiz.upload("a.png", "image/png", File(b"data")),
}
#: Their status alone says how they ended, but a reply that cannot be read proves nothing.
STATUS_ONLY: dict[str, Callable[[Postiz], object]] = {
    "release": lambda postiz: postiz.release("some-id"),
    "delete": lambda postiz: postiz.delete("some-id"),
}
TOO_MUCH: dict[str, Iterable[bytes]] = {
    "without a length": Endless(head(JSON), PIECE),
    "in chunks": Endless(head(JSON, CHUNKED), b"10000\r\n" + PIECE + b"\r\n"),
    "as a refusal": Endless(head(JSON, CHUNKED, status=400), b"10000\r\n" + PIECE + b"\r\n"),
    "of a length that it names": Endless(head(JSON, "Content-Length: 99999999999"), PIECE),
    "of tiny chunks": Endless(head(JSON, CHUNKED), b"1\r\n[\r\n" * 1000),
    "compressed": body(bomb(64 * 1024**2), "Content-Encoding: gzip"),
    "headers": Endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100),
    "a header": Endless(b"HTTP/1.1 200 OK\r\nX: ", PIECE),
    "interim replies": Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
}


def postiz_of(server: RawServer) -> Postiz:
    return Postiz(
        server.url, "key", call_seconds=60, check=not_saved, route=Route(allow_private=True)
    )


def error_in(call: Callable[[Postiz], object], postiz: Postiz) -> PublisherError:
    with pytest.raises(PublisherError) as caught:
        call(postiz)
    return caught.value


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_a_reply_without_end_is_given_up_and_costs_no_memory(kind: str) -> None:
    calls: dict[str, Any] = {**READS, **WRITES, **STATUS_ONLY}
    few = ["integrations"] if kind == "interim replies" else ["integrations", "release"]
    for name in calls if kind == "without a length" else few:
        with answering(TOO_MUCH[kind]) as server:
            postiz = postiz_of(server)
            if kind == "interim replies":
                postiz.call_seconds = 2
            tracemalloc.start()
            error = error_in(calls[name], postiz)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert isinstance(error, Transient if name in READS else OutcomeUnknown), error
            assert peak < 4 * MAX_BYTES + (BUFFERS if "compressed" in kind else 0)
            if kind != "interim replies":
                assert server.sent < MAX_BYTES + BUFFERS
            assert server.requests == 1
            assert ("in time" in error.message) == (kind == "interim replies")


def integration(**more: object) -> dict[str, object]:
    return {"id": "i", "name": "N", "identifier": "x", **more}


def post(**more: object) -> dict[str, object]:
    usual: dict[str, object] = {"id": "p", "state": "QUEUE", "content": "c", "releaseURL": None}
    return {**usual, "publishDate": "2026-11-22T00:00:00Z", "integration": {"id": "i"}, **more}


DEEP = b"[" * 200_000
#: Replies to reads that cannot be what Postiz says.
STRANGE: list[tuple[str, bytes]] = [
    *((name, DEEP) for name in READS),
    *((name, b'{"a":' * 200_000) for name in READS),
    *((name, b"\xff\xfe\xfa" * 100_000) for name in READS),
    *((name, b"") for name in READS),
    ("integrations", json.dumps([integration(id=f"i{n}") for n in range(20_000)]).encode()),
    ("integrations", json.dumps([integration(id="../posts")]).encode()),
    ("integrations", json.dumps([integration(id="x" * 1_000_000)]).encode()),
    ("integrations", json.dumps([integration(identifier=["x"])]).encode()),
    ("integrations", json.dumps({"id": 1}).encode()),
    ("window", json.dumps({"posts": [post(publishDate="0001-01-01T00:00:00+23:59")]}).encode()),
    ("window", json.dumps({"posts": [post(publishDate="9999-12-31T23:59:59-23:59")]}).encode()),
    ("window", json.dumps({"posts": [post(publishDate=5)]}).encode()),
    ("window", json.dumps({"posts": [post(id={"a": 1})]}).encode()),
    ("window", json.dumps({"posts": {"a": 1}}).encode()),
    ("window", json.dumps({"posts": 7}).encode()),
    ("notifications", json.dumps({"notifications": [{"content": 1, "createdAt": 1}]}).encode()),
]


@pytest.mark.parametrize("number", range(len(STRANGE)))
def test_what_no_postiz_says_to_a_read_changes_nothing(number: int) -> None:
    name, content = STRANGE[number]
    with answering(body(content)) as server:
        assert isinstance(error_in(READS[name], postiz_of(server)), Transient)


@pytest.mark.parametrize(
    "content",
    [
        DEEP,
        b"\xff\xfe\xfa" * 100_000,
        b"<html>",
        b"[]",
        b'[{"postId": "a"}, {"postId": "a"}]',
        b'[{"postId": "a"}, {"postId": "../b"}]',
        b'[{"postId": "a"}, {"postId": {"b": 1}}]',
        b'[{"postId": "a"}, {"postId": "b"}, {"postId": "c"}]',
        b'{"id": "m", "path": ["p"]}',
        b'{"id": "m", "path": "\\ud800"}',
    ],
)
def test_what_no_postiz_says_to_a_write_leaves_its_outcome_unknown(content: bytes) -> None:
    for name, call in WRITES.items():
        with answering(body(content, "Content-Type: text/html")) as server:
            assert type(error_in(call, postiz_of(server))) is OutcomeUnknown, name
            assert server.requests == 1


def test_a_reply_is_asked_for_without_compression() -> None:
    with answering(body(b"{}")) as server:
        error_in(READS["connected"], postiz_of(server))
    assert b"\r\nAccept-Encoding: identity\r\n" in server.asked


def test_texts_that_cannot_be_stored_are_made_storable() -> None:
    strange = integration(name="a\0b\ud800c" + "x" * 10_000, picture="https://" + "x" * 9_000)
    with answering(body(json.dumps([strange]).encode())) as server:
        [found] = postiz_of(server).integrations()
    assert found.name.startswith("a\ufffdb\ufffdc")
    assert len(found.name) == 200
    assert found.picture is None


BUDGET = ("Limit", "Remaining", "Reset")


@pytest.mark.parametrize(
    "line",
    [
        "Date: Mon, 01 Jan 0001 00:00:00 +2359",
        "Date: Fri, 31 Dec 9999 23:59:59 -2359",
        "Date: Mon, 99 Foo 99999999 99:99:99 +9999",
        f"Date: {'9' * 5000}",
        "X-RateLimit-Limit: \xb2\r\nX-RateLimit-Remaining: \xb2\r\nX-RateLimit-Reset: \xb2",
        "\r\n".join(
            f"X-RateLimit-{name}: {'9' * 5000}" for name in ("Limit", "Remaining", "Reset")
        ),
        "\r\n".join(f"X-RateLimit-{name}: {'9' * 90}" for name in ("Limit", "Remaining", "Reset")),
        f"Retry-After: {'9' * 400}",
        "Retry-After: \xb2",
        f"Location: {'x' * 60_000}",
        "Location: a\0b",
        "Set-Cookie: \x01=\xff; Expires=never; Max-Age=-" + "9" * 400,
        "Content-Type: \xff; charset=nonsense",
        "Content-Length: \xb2",
    ],
)
def test_odd_headers_do_no_harm(line: str) -> None:
    for status in (200, 307, 400, 429, 500):
        pieces = [head("Connection: close", line, status=status), b'[{"postId": "a"}]']
        with answering(pieces) as server:
            for call in (READS["integrations"], WRITES["stage"]):
                error = error_in(call, postiz_of(server))
                assert len(error.message) <= 500
                assert "\0" not in error.message
                until = getattr(error, "until", datetime.now(UTC))
                assert until <= datetime.now(UTC) + timedelta(days=1)


@pytest.mark.parametrize(
    "message",
    [
        "x" * 1_000_000,
        "a\0b\ud800",
        ["y" * 100_000] * 10,
        [[["z"]]] * 100_000,
        {"a": {"b": 1}},
        ["posts.0." + "9" * 5000, "posts." + "9" * 5000 + "."],
    ],
)
def test_the_words_of_a_refusal_are_cut(message: object) -> None:
    with answering(body(json.dumps({"message": message}).encode(), status=400)) as server:
        error = error_in(stage, postiz_of(server))
    assert len(error.message) <= 500
    error.message.encode()
    assert "\0" not in error.message


def test_a_calendar_that_is_too_large_for_one_reply_is_read_in_parts() -> None:
    """Ten posts of a megabyte each, an hour apart."""
    rows = [
        post(id=f"p{hour}", content="x" * 1024**2, publishDate=_hour(hour)) for hour in range(10)
    ]

    class Calendar(Postiz):
        def read_json(self, path: str, **more: Any) -> Any:
            start, end = more["params"]["startDate"], more["params"]["endDate"]
            chosen = [row for row in rows if start <= str(row["publishDate"]) <= end]
            with answering(body(json.dumps({"posts": chosen}).encode())) as server:
                asked = Postiz(server.url, "key", check=not_saved, route=Route(allow_private=True))
                return asked.read_json(path, **more)

    calendar = Calendar(
        "http://127.0.0.1:9", "key", check=not_saved, route=Route(allow_private=True)
    )
    found = calendar.window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
    assert {row.id for row in found} == {f"p{hour}" for hour in range(10)}


def _hour(hour: int) -> str:
    return f"2026-11-22T{hour:02}:00:00.000Z"
