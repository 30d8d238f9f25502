"""Duplicates: the same text and media on the same channel within the window."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.networks.channel import Channel
from shared.domain.rows.duplicates import (
    duplicate_warnings,
    find_duplicates,
    refuse_duplicates,
)
from shared.domain.rows.earlier_posts import EarlierPost
from shared.domain.rows.post_rows import CheckedRow, PlannedPost, Row
from shared.domain.rows.thread_parts import PlannedPart, RowPart

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
CHANNEL = Channel(id="c1", identifier="mastodon", name="News")


def planned(
    position: int, at: datetime, *, content: str = "a", media: list[int] | None = None
) -> PlannedPost:
    row = Row(position=position, path=f"items.{position}.", publish_at=at)
    return PlannedPost(
        row=row, channel=CHANNEL, content=content, settings={}, media_ids=media or []
    )


def earlier(at: datetime, *, content: str = "a", media: tuple[int, ...] = ()) -> EarlierPost:
    return EarlierPost(at=at, digest=planned(0, at, content=content).digest, media_ids=media)


def positions(posts: list[PlannedPost]) -> list[int]:
    return [post.row.position for post in posts]


@pytest.mark.parametrize(
    ("after", "window", "expected"),
    [
        (timedelta(0), DAY, [1]),
        (DAY - HOUR, DAY, [1]),
        (DAY, DAY, []),  # a daily schedule is none
        (HOUR, timedelta(0), []),
        (HOUR, HOUR, []),
    ],
)
def test_of_a_request_the_later_row_is_the_duplicate(
    after: timedelta, window: timedelta, expected: list[int]
) -> None:
    posts = [planned(1, NOON + after), planned(0, NOON)]
    if not after:
        posts = posts[::-1]
    assert positions(find_duplicates(posts, {}, window, NOON)) == expected


@pytest.mark.parametrize("ago", [-DAY + HOUR, timedelta(0), DAY - HOUR])
def test_what_was_accepted_stays_before_or_after(ago: timedelta) -> None:
    before = {"c1": [earlier(NOON - ago)]}
    assert positions(find_duplicates([planned(0, NOON)], before, DAY, NOON - DAY)) == [0]


@pytest.mark.parametrize(
    "other",
    [
        {"c1": [earlier(NOON, content="b")]},
        {"c1": [earlier(NOON, media=(1,))]},
        {"c2": [earlier(NOON)]},
        {"c1": [earlier(NOON - DAY), earlier(NOON + DAY)]},
    ],
)
def test_another_text_medium_channel_or_day_is_none(other: dict[str, list[EarlierPost]]) -> None:
    assert find_duplicates([planned(0, NOON)], other, DAY, NOON - DAY) == []


def test_a_post_whose_time_is_over_goes_out_now() -> None:
    before = {"c1": [earlier(NOON)]}
    late = planned(0, NOON - 2 * DAY)
    assert positions(find_duplicates([late], before, DAY, NOON)) == [0]


def test_a_warning_names_its_rows_and_a_refused_row_has_no_posts() -> None:
    posts = [planned(n, NOON + n * HOUR) for n in range(3)]
    found = find_duplicates(posts, {}, DAY, NOON)
    [warning] = duplicate_warnings(found, DAY)
    assert (warning.said.code, list(warning.indexes)) == ("duplicate_post", [1, 2])
    assert "News" in warning.said.message
    assert "24 hours" in warning.said.message
    rows = refuse_duplicates([CheckedRow(row=p.row, posts=[p]) for p in posts], found, DAY)
    assert [len(row.posts) for row in rows] == [1, 0, 0]
    assert [fault.field for fault in rows[2].faults] == ["items.2.caption"]


def thread(position: int, *captions: str) -> PlannedPost:
    parts = [RowPart(place=f"thread.{n}", caption=text) for n, text in enumerate(captions)]
    below = [PlannedPart(part=part, content=part.caption, media_ids=[]) for part in parts]
    return replace(planned(position, NOON), thread=below)


def test_posts_that_differ_in_a_later_part_alone_are_none() -> None:
    posts = [thread(0, "one"), thread(1, "two"), thread(2), thread(3, "one", "two")]
    assert find_duplicates(posts, {}, DAY, NOON) == []
    assert positions(find_duplicates([*posts, thread(4, "two")], {}, DAY, NOON)) == [4]
    before = {"c1": [replace(earlier(NOON), parts=(("one", ()),))]}
    assert positions(find_duplicates(posts, before, DAY, NOON)) == [0]
