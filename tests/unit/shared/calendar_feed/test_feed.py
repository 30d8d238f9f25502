"""The feed says what posts are, in the format's own words, whatever their text is."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from shared.calendar_feed.feed import STATUS, FeedEntry, compute_tag, render_feed
from shared.domain.publishing.states import PostState

AT = datetime(2031, 8, 1, 16, 30, tzinfo=UTC)


def entry(**more: Any) -> FeedEntry:
    values: dict[str, Any] = {
        "post_id": 7,
        "channel": "Mastodon",
        "content": "A clip",
        "at": AT,
        "state": PostState.PENDING,
        "revision": 1,
        "updated_at": AT - timedelta(days=1),
        "release_url": None,
    }
    return FeedEntry(**{**values, **more})


def read_events(feed: bytes) -> list[Any]:
    return Calendar.from_ical(feed).walk("VEVENT")


def test_an_event_has_the_post_s_id_time_and_words() -> None:
    shown = {"state": PostState.PUBLISHED, "revision": 3, "release_url": "https://example.com/7"}
    feed = render_feed([entry(**shown)])
    [event] = read_events(feed)
    assert event["UID"] == "post-7@pressroom"
    assert event["DTSTART"].dt == AT
    assert b"DTSTART:20310801T163000Z" in feed
    assert b"DTSTAMP:20310731T163000Z" in feed
    assert event["SUMMARY"] == "Mastodon: A clip"
    assert (event["STATUS"], event["URL"], event["SEQUENCE"]) == (
        "CONFIRMED",
        "https://example.com/7",
        2,
    )
    assert event["DESCRIPTION"] == "Published\nA clip"


@pytest.mark.parametrize("state", STATUS)
def test_only_what_waits_for_a_person_is_tentative_and_only_what_is_out_has_an_address(
    state: PostState,
) -> None:
    [event] = read_events(render_feed([entry(state=state, release_url="https://example.com/7")]))
    waits = state in {PostState.WAITING_APPROVAL, PostState.HELD}
    assert event["STATUS"] == ("TENTATIVE" if waits else "CONFIRMED")
    assert ("URL" in event) == (state is PostState.PUBLISHED)


@given(st.text(max_size=300), st.text(max_size=80), st.text(max_size=80))
def test_no_text_of_a_post_adds_a_line_of_its_own(content: str, channel: str, url: str) -> None:
    shown = {"content": content, "channel": channel, "release_url": url}
    feed = render_feed([entry(**shown, state=PostState.PUBLISHED), entry(post_id=8)])
    first, second = read_events(feed)
    assert (first["UID"], second["UID"]) == ("post-7@pressroom", "post-8@pressroom")
    assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]", feed), "the format has no such text"
    names = {line.partition(b":")[0].partition(b";")[0] for line in feed.split(b"\r\n")}
    assert {name for name in names if name and not name.startswith(b" ")} <= {
        *(b"BEGIN", b"END", b"PRODID", b"VERSION", b"X-WR-CALNAME"),
        *(b"UID", b"DTSTAMP", b"DTSTART", b"SEQUENCE", b"SUMMARY", b"DESCRIPTION"),
        *(b"STATUS", b"TRANSP", b"URL"),
    }


def test_a_title_is_short_and_ends_between_words() -> None:
    [event] = read_events(render_feed([entry(content="word " * 50)]))
    title = str(event["SUMMARY"])
    assert title.endswith("word…")
    assert len(title) < 80


def test_the_tag_changes_with_what_is_shown_and_with_nothing_else() -> None:
    assert compute_tag([entry()]) == compute_tag([entry()])
    tags = {compute_tag(each) for each in ([], [entry()], [entry(revision=2)], [entry(post_id=8)])}
    assert len(tags) == 4
