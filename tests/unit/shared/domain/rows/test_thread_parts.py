"""Threads: what each network takes of them, and every fault by its part."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.networks.channel import Channel
from shared.domain.networks.limits import LIMITS
from shared.domain.networks.medium import Medium
from shared.domain.networks.network_settings import NETWORKS
from shared.domain.networks.thread_support import THREADS, WITHOUT_THREADS, takes_threads
from shared.domain.rows.post_rows import Known, PlannedPost, Row, check_rows
from shared.domain.rows.row_warnings import find_warnings
from shared.domain.rows.thread_parts import RowPart
from tests.unit.shared.domain.networks.test_post_rules import GOOD

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
PNG, MP4 = "image/png", "video/mp4"
#: Media of each kind, by ids of their own.
MEDIA = {
    **{f"9{n}": Medium(id=int(f"9{n}"), mime=PNG) for n in range(6)},
    "80": Medium(id=80, mime=MP4),
}


def row(network: str, *parts: RowPart, **more: Any) -> Row:
    """A good post of the network, with these parts under it."""
    settings, mimes = GOOD[network]
    settings = {**settings, "post_type": "post"} if "post_type" in settings else settings
    names = ["80" if mime == MP4 else f"9{index}" for index, mime in enumerate(mimes)]
    return Row(
        **{
            "publish_at": NOON,
            "caption": "hello",
            "integration_ids": [network],
            "settings": {network: settings},
            "media_ids": names,
            "thread": parts,
            **more,
        }
    )


def known(network: str) -> Known:
    channel = Channel(id=network, identifier=network, name=f"The {network}")
    return Known(channels={network: channel}, media=MEDIA)


def faults(network: str, *parts: RowPart, **more: Any) -> list[tuple[str, str]]:
    [checked] = check_rows([row(network, *parts, **more)], known(network))
    return [(fault.field, fault.code) for fault in checked.faults]


def planned(network: str, *parts: RowPart, **more: Any) -> PlannedPost:
    [checked] = check_rows([row(network, *parts, **more)], known(network))
    assert checked.faults == ()
    return checked.posts[0]


def part(caption: str = "more", *, place: str = "thread.0", **more: Any) -> RowPart:
    return RowPart(place=place, caption=caption, **more)


def test_each_network_either_takes_threads_or_does_not() -> None:
    assert not set(THREADS) & WITHOUT_THREADS
    assert set(NETWORKS) <= set(THREADS) | WITHOUT_THREADS
    assert takes_threads(None)
    assert takes_threads("a network of tomorrow")


@pytest.mark.parametrize("network", GOOD)
def test_a_thread_is_taken_or_refused_by_its_channels_name(network: str) -> None:
    if takes_threads(network):
        assert faults(network, part(), part(place="thread.1", delay_minutes=5)) == []
        return
    assert faults(network, part()) == [("thread", "thread_not_supported")]
    assert faults(network, part(place="first_comment"))[0][0] == "first_comment"
    [checked] = check_rows([row(network, part(), path="items.3.", position=3)], known(network))
    [fault] = checked.faults
    assert (fault.field, fault.row) == ("items.3.thread", 3)
    assert f"The {network}" in fault.message


@pytest.mark.parametrize("network", GOOD)
def test_where_it_is_supported_it_goes_out_and_elsewhere_it_is_left_out_with_a_warning(
    network: str,
) -> None:
    [checked] = check_rows([row(network, part(), drops_thread=True)], known(network))
    [post] = checked.posts
    told = {warning.said.code for warning in find_warnings([checked], known(network), now=NOON)}
    left_out = not takes_threads(network)
    assert (post.thread_json == []) == left_out == ("thread_left_out" in told)


@pytest.mark.parametrize("network", [name for name in GOOD if takes_threads(name)])
def test_a_part_has_the_characters_of_a_post_and_no_more(network: str) -> None:
    most = int(LIMITS[network]["characters"].value or 0)
    assert faults(network, part("a" * most)) == []
    assert faults(network, part(), part("a" * (most + 1), place="thread.1")) == [
        ("thread.1.caption", "caption_too_long")
    ]


@pytest.mark.parametrize(
    ("network", "names", "fits"),
    [
        ("x", ["90", "91", "92", "93"], True),
        ("x", ["90", "91", "92", "93", "94"], False),
        ("x", ["80", "90"], False),  # a video stands alone
        ("bluesky", ["80"], True),
        ("mastodon", ["90", "91"], True),
        ("facebook", ["90"], True),
        ("facebook", ["90", "91"], False),
        ("instagram", ["90"], False),
        ("linkedin-page", ["90"], False),
        ("reddit", ["90"], False),
    ],
)
def test_a_part_has_the_media_that_its_network_shows(
    network: str, names: list[str], fits: bool
) -> None:
    found = faults(network, part(media_ids=names))
    assert found == ([] if fits else [("thread.0.media_ids", "media_refused")])


def test_an_instagram_comment_needs_no_medium_though_a_post_does() -> None:
    assert faults("instagram", part("a comment")) == []


def test_a_part_says_what_its_network_is_told() -> None:
    both = part("plain", captions={"x": "on x", "mastodon": "on mastodon"})
    assert planned("x", both).thread_json == [
        {"content": "on x", "media_ids": [], "delay_minutes": 0}
    ]
    assert planned("threads", both).thread[0].content == "plain"
    long = part("fine", captions={"x": "a" * 281})
    assert faults("x", long) == [("thread.0.captions_per_platform.x", "caption_too_long")]


def test_a_part_that_is_empty_on_one_network_is_named() -> None:
    assert faults("x", part("", captions={"threads": "only there"})) == [
        ("thread.0.caption", "empty_post")
    ]


def test_media_of_parts_are_looked_up_and_kept_in_order() -> None:
    post = planned("x", part(media_ids=["91", "90"]), part("", place="thread.1", media_ids=["80"]))
    assert post.all_media_ids == [80, 91, 90, 80]
    assert faults("x", part(media_ids=["91", "nowhere"])) == [
        ("thread.0.media_ids.1", "unknown_media")
    ]


def test_a_thread_counts_in_the_size_of_a_call() -> None:
    parts = [part("ä" * 4000, place=f"thread.{n}") for n in range(20)]
    assert faults("telegram", *parts) == [("caption", "too_large")]
    assert faults("telegram", *parts[:8]) == []


def test_html_in_a_part_is_warned_of() -> None:
    checked = check_rows([row("mastodon", part("a <b>"))], known("mastodon"))
    told = [advice.said.code for advice in find_warnings(checked, known("mastodon"), now=NOON)]
    assert told == ["caption_is_changed"]


def test_an_unknown_network_decides_itself() -> None:
    channel = Channel(id="new", identifier="new")
    facts = replace(known("x"), channels={"new": channel})
    post = Row(publish_at=NOON, caption="a", integration_ids=["new"], thread=[part()])
    [checked] = check_rows([post], facts)
    assert len(checked.posts[0].thread) == 1


@pytest.mark.parametrize("network", ["instagram", "instagram-standalone", "facebook"])
def test_nobody_comments_on_a_story(network: str) -> None:
    story = {"settings": {network: {"post_type": "story"}}, "media_ids": ["90"]}
    refused = [("thread", "thread_not_supported")]
    assert faults(network, part("a comment"), **story) == refused
    kept = row(network, part("a comment"), drops_thread=True, **story)
    [checked] = check_rows([kept], known(network))
    assert checked.posts[0].thread_json == []
    told = find_warnings([checked], known(network), now=NOON)
    [left_out] = [each.said for each in told if each.said.code == "thread_left_out"]
    assert left_out.message.startswith(f"a story on {network} has neither")
