"""The sandbox answers every recorded exchange as the real Postiz did."""

from collections.abc import Iterator

import pytest
import requests

from local.sandbox.process import start_sandbox
from tests.scenarios.exchanges import (
    EXCHANGES,
    KEYS,
    NAMES,
    ORGS,
    Exchange,
    Replay,
    compare_body,
    serving_files,
)
from tests.timing.sandbox_timings import steady_timing

NEVER_SENDS = steady_timing(send_delay=3600, search_rate=1000, search_burst=1000)


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> Iterator[Replay]:
    folder = tmp_path_factory.mktemp("sandbox")
    usual = start_sandbox(folder / "usual", timing=NEVER_SENDS, seed=ORGS)
    private = start_sandbox(folder / "private", seed=ORGS, allow_private_urls=True)
    with usual, private, serving_files(files) as file_server:
        addresses = {"usual": usual.api_url, "private": private.api_url}
        replayed = Replay(addresses, KEYS, files, file_server)
        replayed.sandbox = usual
        for exchange in EXCHANGES:
            replayed.send(exchange)
        yield replayed


@pytest.mark.parametrize("exchange", EXCHANGES, ids=NAMES)
def test_status(replay: Replay, exchange: Exchange) -> None:
    answer = replay.answers[exchange["name"]]
    assert answer.status_code == exchange["status"], answer.text
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert "Date" in answer.headers


@pytest.mark.parametrize("exchange", EXCHANGES, ids=NAMES)
def test_body(replay: Replay, exchange: Exchange) -> None:
    reply = replay.answers[exchange["name"]].json()
    compare_body(reply, replay.fill(exchange["reply"]), exchange["match"])


@pytest.mark.parametrize("exchange", EXCHANGES, ids=NAMES)
def test_budget_headers(replay: Replay, exchange: Exchange) -> None:
    """Limit and what remains are exact; seconds may have passed."""
    answer, expected = replay.answers[exchange["name"]], exchange["reply_headers"]
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")
    sent = {name: int(answer.headers[name]) for name in names if name in answer.headers}
    assert sent.keys() == expected.keys()
    for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining"):
        assert sent.get(name) == expected.get(name)
    for name in ("X-RateLimit-Reset", "Retry-After"):
        assert 3600 - 120 <= sent.get(name, 3600) <= 3600


def test_unknown_slot_is_never_answered(replay: Replay) -> None:
    with pytest.raises(requests.ReadTimeout):
        requests.get(
            f"{replay.addresses['usual']}/find-slot/nope",
            headers={"Authorization": KEYS["main"]},
            timeout=0.5,
        )


def test_html_is_stored_as_text(replay: Replay) -> None:
    posts = replay.sandbox.admin.posts()
    (stored,) = [post["content"] for post in posts if "lines" in post["content"]]
    assert stored == "a &lt; b &amp; c &gt; d  bold  two\nlines é 😀"


def test_dates_are_kept_to_the_millisecond_and_read_in_their_zone(replay: Replay) -> None:
    posts = {post["content"]: post for post in replay.sandbox.admin.posts()}
    assert posts["same text"]["publish_date"] == "2026-12-25T08:15:30.123Z"
    assert posts["tz+3"]["publish_date"] == "2026-12-26T05:15:30.000Z"
    assert posts["no tz"]["publish_date"] == "2026-12-26T08:15:30.000Z"


def test_nothing_makes_two_calls_one(replay: Replay) -> None:
    contents = [post["content"] for post in replay.sandbox.admin.posts()]
    for content in ("same text", "idem", "with id", "with group", "twin"):
        assert contents.count(content) == 2
