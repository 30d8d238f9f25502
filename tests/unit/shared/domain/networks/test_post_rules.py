"""What each network would refuse: settings, captions, media."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.networks.limit_overrides import Overrides, limits_of
from shared.domain.networks.limits import LIMITS, Confidence
from shared.domain.networks.medium import Medium
from shared.domain.networks.network_settings import NETWORKS
from shared.domain.networks.post_rules import ERRORS, find_violations

MP4, PNG = "video/mp4", "image/png"
TIKTOK: Mapping[str, Any] = {
    "privacy_level": "SELF_ONLY",
    "duet": False,
    "stitch": False,
    "comment": True,
    "autoAddMusic": "no",
    "brand_content_toggle": False,
    "brand_organic_toggle": False,
    "content_posting_method": "DIRECT_POST",
}
SUBREDDIT = {"subreddit": "videos", "title": "t", "type": "link", "is_flair_required": False}
#: For each network, something that it takes.
GOOD: Mapping[str, tuple[Mapping[str, Any], list[str | None]]] = {
    "x": ({"who_can_reply_post": "everyone"}, [MP4]),
    "linkedin": ({}, []),
    "linkedin-page": ({}, [PNG, PNG]),
    "instagram": ({"post_type": "post"}, [MP4]),
    "instagram-standalone": ({"post_type": "story"}, [PNG]),
    "facebook": ({}, []),
    "tiktok": (TIKTOK, [MP4]),
    "youtube": ({"title": "A title", "type": "public"}, [MP4]),
    "pinterest": ({"board": "b1"}, [MP4, PNG]),
    "reddit": ({"subreddit": [{"value": SUBREDDIT}]}, []),
    "threads": ({}, []),
    "mastodon": ({}, []),
    "telegram": ({}, []),
    "bluesky": ({}, [PNG, PNG, PNG, PNG]),
    "discord": ({"channel": "c1"}, []),
}


def fields(
    identifier: str,
    *,
    settings: Mapping[str, Any] | None = None,
    mimes: list[str | None] | None = None,
    content: str = "hello",
) -> list[str]:
    good_settings, good_mimes = GOOD[identifier]
    found = find_violations(
        identifier,
        LIMITS[identifier],
        content=content,
        settings=good_settings if settings is None else settings,
        media=media(good_mimes if mimes is None else mimes),
    )
    assert all(fault.message and fault.remedy for fault in found)
    return [fault.field for fault in found]


def media(mimes: Sequence[str | None]) -> list[Medium]:
    return [Medium(id=number, mime=mime) for number, mime in enumerate(mimes)]


def test_there_is_an_example_for_every_network() -> None:
    assert set(GOOD) == set(NETWORKS) == set(LIMITS)


@pytest.mark.parametrize("identifier", GOOD)
def test_a_good_post_is_taken(identifier: str) -> None:
    assert fields(identifier) == []


@pytest.mark.parametrize("identifier", [name for name in GOOD if NETWORKS[name].required])
def test_each_required_setting_is_named_when_it_is_missing(identifier: str) -> None:
    expected = [f"settings.{name}" for name in NETWORKS[identifier].required]
    assert fields(identifier, settings={}) == expected


@pytest.mark.parametrize("identifier", GOOD)
def test_a_caption_may_be_as_long_as_the_network_takes_and_no_longer(identifier: str) -> None:
    most = int(LIMITS[identifier]["characters"].value or 0)
    assert fields(identifier, content="a" * most) == []
    assert fields(identifier, content="a" * (most + 1)) == ["caption"]


@pytest.mark.parametrize(
    ("identifier", "name", "value"),
    [
        ("x", "who_can_reply_post", "nobody"),
        ("instagram", "post_type", "reel"),
        ("tiktok", "privacy_level", 1),
        ("tiktok", "duet", "yes"),
        ("tiktok", "autoAddMusic", True),
        ("tiktok", "content_posting_method", "EMAIL"),
        ("tiktok", "title", "t" * 91),
        ("youtube", "title", "t"),
        ("youtube", "title", "t" * 101),
        ("youtube", "type", "hidden"),
        ("pinterest", "board", ""),
        ("reddit", "subreddit", []),
        ("reddit", "subreddit", [{"value": {"subreddit": "videos"}}]),
        ("reddit", "subreddit", "videos"),
        ("discord", "channel", 5),
    ],
)
def test_a_setting_of_the_wrong_value_is_named(identifier: str, name: str, value: object) -> None:
    settings = {**GOOD[identifier][0], name: value}
    assert fields(identifier, settings=settings) == [f"settings.{name}"]


@pytest.mark.parametrize(
    ("identifier", "mimes"),
    [
        ("x", [PNG] * 5),
        ("x", [MP4, PNG]),
        ("bluesky", [MP4, MP4]),
        ("linkedin", [MP4, PNG]),
        ("instagram", []),
        ("instagram", [PNG] * 11),
        ("tiktok", []),
        ("tiktok", [MP4, PNG]),
        ("youtube", []),
        ("youtube", [PNG]),
        ("youtube", [MP4, MP4]),
        ("pinterest", []),
        ("pinterest", [PNG] * 6),
        ("pinterest", [MP4]),
        ("pinterest", [PNG, MP4]),
    ],
)
def test_media_that_the_network_does_not_take_are_refused(
    identifier: str, mimes: list[str | None]
) -> None:
    assert fields(identifier, mimes=mimes) == ["media_ids"]


@pytest.mark.parametrize("identifier", ["youtube", "tiktok", "instagram"])
def test_a_medium_that_is_not_fetched_yet_is_given_the_benefit_of_doubt(identifier: str) -> None:
    assert fields(identifier, mimes=[None]) == []


def test_a_facebook_story_needs_a_medium() -> None:
    story = {"post_type": "story"}
    assert fields("facebook", settings=story, mimes=[]) == ["media_ids"]
    assert fields("facebook", settings=story, mimes=[PNG]) == []


def test_a_post_of_nothing_is_refused_on_every_network() -> None:
    assert fields("mastodon", content=" \n", mimes=[]) == ["caption"]


def test_a_network_that_we_do_not_know_is_left_to_postiz() -> None:
    long = "a" * 9000
    assert find_violations("vk", {}, content=long, settings={}, media=media([MP4, PNG])) == []


def test_a_missing_setting_says_what_it_may_be() -> None:
    [fault] = find_violations("x", LIMITS["x"], content="a", settings={}, media=[])
    assert "everyone" in fault.message
    assert fault.code == "missing_setting"
    assert fault.remedy
    assert '{"x": {"who_can_reply_post": …}}' in fault.remedy


def test_a_limit_of_the_accounts_own_holds_instead_of_the_networks() -> None:
    def codes(length: int, overrides: Overrides) -> list[str]:
        limits = limits_of(["int-1", "x"], overrides)
        settings = GOOD["x"][0]
        found = find_violations("x", limits, content="a" * length, settings=settings, media=[])
        return [fault.code for fault in found]

    assert codes(281, {}) == ["caption_too_long"]
    assert codes(281, {"x": {"characters": 4000}}) == []
    assert codes(4001, {"int-1": {"characters": 4000}}) == ["caption_too_long"]
    assert codes(90_000, {"x": {"characters": None}}) == []


def test_a_caption_too_long_for_x_says_how_a_verified_account_is_told() -> None:
    [fault] = find_violations(
        "x", LIMITS["x"], content="a" * 300, settings=GOOD["x"][0], media=media([])
    )
    assert fault.remedy is not None
    for word in ("Shorten it by 20", "captions_per_platform.x", "rule_overrides", "4000"):
        assert word in fault.remedy


@pytest.mark.parametrize("identifier", LIMITS)
def test_what_is_refused_is_certain_and_what_is_not_certain_is_only_warned_of(
    identifier: str,
) -> None:
    for name, limit in LIMITS[identifier].items():
        assert (name in ERRORS) == (limit.source.confidence is Confidence.CERTAIN)


@given(title=st.text(max_size=120))
def test_a_title_is_as_long_as_postiz_counts_it(title: str) -> None:
    """In units of UTF-16, as JavaScript does."""
    length = len(title.encode("utf-16-le", "surrogatepass")) // 2
    settings = {**GOOD["youtube"][0], "title": title}
    assert (fields("youtube", settings=settings) == []) == (2 <= length <= 100)
