"""Warnings: guesses about networks, what was assumed, what was not checked; once, with the rows."""

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.networks.channel import Channel
from shared.domain.networks.limit_overrides import Overrides
from shared.domain.networks.limits import KINDS, LIMITS
from shared.domain.networks.medium import Medium
from shared.domain.networks.network_settings import NETWORKS
from shared.domain.networks.post_rules import ERRORS
from shared.domain.rows.earlier_posts import EarlierPost
from shared.domain.rows.post_rows import Known, Row, check_rows
from shared.domain.rows.row_warnings import find_warnings

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
EARLY = datetime(2020, 1, 1, tzinfo=UTC)
#: Everything else that these networks demand is given.
GIVEN: dict[str, dict[str, Any]] = {
    "pinterest": {"board": "b"},
    "discord": {"channel": "c"},
    "reddit": {
        "subreddit": [
            {"value": {"subreddit": "s", "title": "t", "type": "link", "is_flair_required": False}}
        ]
    },
}
CHANNELS = {
    f"int-{identifier}": Channel(id=f"int-{identifier}", identifier=identifier, name=identifier)
    for identifier in (*NETWORKS, "vk")
} | {"int-tube-2": Channel(id="int-tube-2", identifier="youtube", name="second")}
#: Nobody objects to it.
GOOD = Medium(id=1, mime="video/mp4", size=5_000_000, width=1080, height=1920, duration=30.0)
COVER = Medium(id=2, mime="image/png", size=1000, width=8, height=6)
Found = list[tuple[str, list[int]]]


def row(index: int = 0, **more: Any) -> Row:
    good: dict[str, Any] = {"caption": "hello", "media_ids": ["1"], "settings": GIVEN}
    values = good | {"publish_at": NOON} | more
    return Row(position=index, path=f"items.{index}.", **values)


def known(medium: Medium = GOOD, overrides: Overrides | None = None) -> Known:
    return Known(channels=CHANNELS, media={"1": medium, "2": COVER}, overrides=overrides or {})


def said(rows: Iterable[Row], by: Known | None = None) -> Found:
    by = by or known()
    checked = check_rows(rows, by)
    assert [one.faults for one in checked if one.faults] == []
    advice = find_warnings(checked, by, now=EARLY)
    assert all(one.said.message and one.said.remedy for one in advice)
    return [
        (one.said.code, list(one.indexes))
        for one in advice
        if one.said.code != "default_setting_used"
    ]


def codes(identifier: str, medium: Medium, **more: Any) -> set[str]:
    media_ids = ["1", "2"] if identifier == "pinterest" else ["1"]
    one = row(integration_ids=[f"int-{identifier}"], media_ids=media_ids, **more)
    return {code for code, _ in said([one], known(medium))}


@pytest.mark.parametrize("identifier", NETWORKS)
def test_a_good_video_is_warned_of_nowhere(identifier: str) -> None:
    assert codes(identifier, GOOD) == set()


#: For each limit, a video that breaks it on a network that has that value.
BREAKS: dict[str, Any] = {
    "video_seconds_least": lambda value: ("video_too_short", {"duration": value - 0.1}),
    "video_seconds_most": lambda value: ("video_too_long", {"duration": value + 1}),
    "video_megabytes": lambda value: ("video_too_large", {"size": int(value * 1_000_000) + 1}),
    "video_aspect": lambda _: ("aspect_ratio", {"width": 1920, "height": 1080}),
    "short_seconds_most": lambda value: ("not_a_short", {"duration": value + 1}),
}
KEEPS: dict[str, Any] = {
    "video_seconds_least": lambda value: {"duration": value},
    "video_seconds_most": lambda value: {"duration": value},
    "video_megabytes": lambda value: {"size": int(value * 1_000_000)},
    "video_aspect": lambda _: {"width": 720, "height": 1280},
    "short_seconds_most": lambda value: {"duration": value},
}
ON_VIDEOS = [
    (identifier, name) for identifier, limits in LIMITS.items() for name in limits if name in BREAKS
]


@pytest.mark.parametrize(("identifier", "name"), ON_VIDEOS)
def test_each_limit_on_videos_is_warned_of_beyond_it_and_not_before(
    identifier: str, name: str
) -> None:
    value = LIMITS[identifier][name].value
    code, broken = BREAKS[name](value)
    assert code in codes(identifier, replace(GOOD, **broken))
    assert code not in codes(identifier, replace(GOOD, **KEEPS[name](value)))


def test_every_limit_is_looked_at_by_something() -> None:
    rates = {name for name, kind in KINDS.items() if kind.window is not None}
    assert set(KINDS) == ERRORS | set(BREAKS) | rates


RATES = [
    (identifier, name)
    for identifier, limits in LIMITS.items()
    for name in limits
    if KINDS[name].window is not None
]


@pytest.mark.parametrize(("identifier", "name"), RATES)
def test_more_posts_than_a_network_takes_in_a_time_are_warned_of_from_the_first_beyond(
    identifier: str, name: str
) -> None:
    limit, window = LIMITS[identifier][name], KINDS[name].window
    assert limit.value is not None
    assert window is not None
    most = int(limit.value)
    media_ids = ["1", "2"] if identifier == "pinterest" else ["1"]
    rows = [
        row(n, integration_ids=[f"int-{identifier}"], media_ids=media_ids) for n in range(most + 2)
    ]
    only = known(overrides={f"int-{identifier}": _without_other_rates(identifier, name)})
    assert said(rows[:most], only) == []
    assert said(rows, only) == [("too_many_posts", [most, most + 1])]
    spread = [replace(one, publish_at=NOON + n * window / most) for n, one in enumerate(rows)]
    assert said(spread, only) == []


def _without_other_rates(identifier: str, name: str) -> dict[str, float | None]:
    limits = LIMITS[identifier]
    return {one: None for one in limits if KINDS[one].window is not None and one != name}


def test_images_do_not_count_as_videos() -> None:
    rows = [row(n, integration_ids=["int-bluesky"], media_ids=["2"]) for n in range(40)]
    assert said(rows) == []


def test_all_channels_of_one_postiz_share_what_youtube_takes() -> None:
    rows = [row(n, integration_ids=["int-youtube" if n % 2 else "int-tube-2"]) for n in range(102)]
    assert said(rows) == [("too_many_posts", [100, 101])]


def test_what_was_accepted_before_counts_and_is_not_named() -> None:
    rows = [row(n, integration_ids=["int-tiktok"]) for n in range(3)]
    hour = timedelta(hours=1)

    def after(*times: datetime, video: bool = True) -> list[tuple[str, list[int]]]:
        earlier = [EarlierPost(at=at, has_video=video) for at in times]
        return said(rows, replace(known(), before={"int-tiktok": earlier}))

    assert after(*[NOON - hour] * 12) == []
    assert after(*[NOON - hour] * 13) == [("too_many_posts", [2])]
    assert after(*[NOON] * 15) == [("too_many_posts", [0, 1, 2])]  # they have been there first
    assert after(*[NOON - 25 * hour] * 15) == []
    images = [row(n, integration_ids=["int-bluesky"]) for n in range(1)]
    earlier = [EarlierPost(at=NOON, has_video=False)] * 40
    assert said(images, replace(known(), before={"int-bluesky": earlier})) == []


def test_channels_that_share_a_rate_share_what_was_accepted_before() -> None:
    earlier = {"int-tube-2": [EarlierPost(at=NOON)] * 99}
    rows = [row(n, integration_ids=["int-youtube"]) for n in range(2)]
    assert said(rows, replace(known(), before=earlier)) == [("too_many_posts", [1])]


def test_rows_in_any_order_are_counted_by_their_times() -> None:
    rows = [
        row(n, integration_ids=["int-tiktok"], publish_at=NOON - n * timedelta(minutes=1))
        for n in range(17)
    ]
    assert said(rows) == [("too_many_posts", [0, 1])]


@given(gaps=st.lists(st.integers(0, 48), min_size=1, max_size=60))
def test_a_spread_is_warned_of_exactly_where_a_day_holds_too_many(gaps: list[int]) -> None:
    """Compared with counting each day by hand."""
    moments = [NOON + timedelta(hours=sum(gaps[: n + 1])) for n in range(len(gaps))]
    rows = [
        row(n, integration_ids=["int-tiktok"], publish_at=moment)
        for n, moment in enumerate(moments)
    ]
    day = timedelta(days=1)
    beyond = [
        n
        for n, moment in enumerate(moments)
        if sum(moment - day < earlier for earlier in moments[: n + 1]) > 15
    ]
    assert said(rows) == ([("too_many_posts", beyond)] if beyond else [])


def test_what_was_due_long_ago_goes_out_now_all_at_once() -> None:
    rows = [
        row(n, integration_ids=["int-tiktok"], publish_at=NOON - n * timedelta(days=3))
        for n in range(17)
    ]
    checked = check_rows(rows, known())
    crowded = [
        list(one.indexes)
        for one in find_warnings(checked, known(), now=NOON)
        if one.said.code == "too_many_posts"
    ]
    assert crowded == [[15, 16]]
    codes = {one.said.code for one in find_warnings(checked, known(), now=NOON, drafts=True)}
    assert codes == {"default_setting_used"}


def test_an_account_that_knows_better_is_not_warned() -> None:
    rows = [row(n, integration_ids=["int-tiktok"]) for n in range(20)]
    assert said(rows) == [("too_many_posts", [15, 16, 17, 18, 19])]
    assert said(rows, known(overrides={"tiktok": {"posts_per_day": 20}})) == []
    assert said(rows, known(overrides={"int-tiktok": {"posts_per_day": None}})) == []
    long = known(replace(GOOD, duration=1000.0), {"tiktok": {"video_seconds_most": 3600}})
    assert said(rows[:1], long) == []


def test_what_is_assumed_is_listed_once_with_all_its_rows() -> None:
    rows = [row(n, integration_ids=["int-x", "int-tiktok"], caption=f"Clip {n}") for n in range(3)]
    advice = find_warnings(check_rows(rows, known()), known(), now=EARLY)
    assumed = [one for one in advice if one.said.code == "default_setting_used"]
    assert [list(one.indexes) for one in assumed] == [[0, 1, 2], [0, 1, 2]]
    assert "who_can_reply_post everyone" in assumed[0].said.message
    for words in ("privacy_level PUBLIC_TO_EVERYONE", "duet false", "autoAddMusic no"):
        assert words in assumed[1].said.message


def test_titles_of_many_rows_are_told_in_one_warning() -> None:
    rows = [row(n, integration_ids=["int-youtube"], caption=f"Clip {n}") for n in range(3)]
    [one] = find_warnings(check_rows(rows, known()), known(), now=EARLY)
    assert list(one.indexes) == [0, 1, 2]
    assert "title the caption's first line" in one.said.message


@pytest.mark.parametrize(
    ("medium", "code"),
    [
        (Medium(id=1, mime=None), "medium_not_fetched"),
        (Medium(id=1, mime="video/mp4", size=5), "media_facts_unknown"),
    ],
)
def test_what_could_not_be_checked_is_told_where_there_is_something_to_check(
    medium: Medium, code: str
) -> None:
    assert codes("tiktok", medium) == {code}
    assert codes("telegram", medium) == set()


def test_an_image_has_no_length_to_check() -> None:
    assert said([row(integration_ids=["int-threads"], media_ids=["2"])]) == []


def test_a_network_without_rules_is_left_to_postiz_and_told() -> None:
    assert codes("vk", GOOD) == {"unknown_network"}


def test_where_no_list_is_to_be_had_it_is_told_that_nothing_was_checked() -> None:
    nothing = Known(channels=None, media={"1": GOOD})
    assert said([row(integration_ids=["int-new"])], nothing) == [("integrations_unknown", [0])]


def test_a_caption_near_the_limit_of_x_with_a_bare_address_is_doubtful() -> None:
    rows = [
        row(0, integration_ids=["int-x"], caption="a" * 265 + " example.com"),
        row(1, integration_ids=["int-x"], caption="a" * 250 + " example.com"),
        row(2, integration_ids=["int-mastodon"], caption="a" * 265 + " example.com"),
    ]
    assert said(rows) == [("caption_may_be_too_long", [0])]


def test_a_caption_that_postiz_would_take_for_html_is_told() -> None:
    rows = [
        row(n, integration_ids=["int-mastodon"], caption=caption)
        for n, caption in enumerate(("a & b", "I <3 you", "a <b>x</b>"))
    ]
    assert said(rows) == [("caption_is_changed", [1, 2])]


def test_words_under_a_name_that_is_no_network_are_not_lost_silently() -> None:
    rows = [
        row(
            0,
            integration_ids=["int-mastodon"],
            captions={"mastodonn": "a", "x": "unused, but known"},
        ),
        row(1, integration_ids=["int-mastodon"], settings={"int-gone": {}}),
        row(2, integration_ids=["int-mastodon"], captions={"mastodonn": "b"}),
    ]
    assert said(rows) == [("unknown_platform", [0, 2]), ("unknown_platform", [1])]


def test_ten_thousand_rows_over_two_channels_take_no_longer_per_row_than_a_hundred() -> None:
    def seconds(count: int) -> float:
        rows = [
            row(n, integration_ids=["int-tiktok", "int-x"], caption=f"Clip number {n} #fun")
            for n in range(count)
        ]
        by = known()
        began = time.process_time()
        assert len(find_warnings(check_rows(rows, by), by, now=EARLY)) == 4
        return time.process_time() - began

    seconds(200)
    few = min(seconds(1000) for _ in range(3))
    assert seconds(10_000) < 30 * few
