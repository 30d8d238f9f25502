"""Threads in bodies: what is malformed is named, and what is not comes through as it was sent."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.networks.thread_support import MAX_DELAY, MAX_PARTS
from shared.intake.post_edits import EditedContent
from shared.intake.request_rows import bulk_rows, ensure_seed, spread_of
from shared.intake.schemas import BulkPublishRequest, Playlist
from shared.schedules import runs

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
PART = {"caption": "more"}


def bulk(item: dict[str, Any], **more: Any) -> BulkPublishRequest:
    return BulkPublishRequest.model_validate({"items": [item], "integration_ids": ["x"], **more})


def thread_of(body: BulkPublishRequest) -> list[tuple[str, str, int]]:
    """Of its first row: place, caption and delay of each part."""
    sent = ensure_seed(body)
    [row] = bulk_rows(sent, spread_of(sent, NOON), {}, {}).rows
    return [(part.place, part.caption, part.delay_minutes) for part in row.thread]


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"thread": [PART] * (MAX_PARTS + 1)}, "thread"),
        ({"thread": [PART, {}]}, "thread.1.caption"),
        ({"thread": [{"caption": " \n"}]}, "thread.0.caption"),
        ({"thread": [{"captions_per_platform": {"x": " "}}]}, "thread.0.caption"),
        ({"thread": [{**PART, "delay_minutes": -1}]}, "thread.0.delay_minutes"),
        ({"thread": [{**PART, "delay_minutes": MAX_DELAY + 1}]}, "thread.0.delay_minutes"),
        ({"thread": [{**PART, "delay_minutes": 1.5}]}, "thread.0.delay_minutes"),
        ({"thread": [{**PART, "delay": 1}]}, "thread.0.delay"),
        ({"thread": "more"}, "thread"),
        ({"thread": [PART], "first_comment": "a"}, "first_comment"),
        ({"thread": [], "first_comment": "a"}, "first_comment"),
        ({"first_comment": " "}, "first_comment"),
        ({"thread_policy": "perhaps"}, "thread_policy"),
    ],
)
def test_what_is_malformed_is_named(item: dict[str, Any], field: str) -> None:
    for body, path in (({"items": [item]}, f"items.0.{field}"), ({"items": [{}], **item}, field)):
        with pytest.raises(ValidationError) as refused:
            BulkPublishRequest.model_validate(body)
        places = [".".join(map(str, fault["loc"])) for fault in refused.value.errors()]
        assert path in places


PARTS = st.lists(
    st.fixed_dictionaries(
        {"caption": st.text("abc ", min_size=1).filter(str.strip)},
        optional={"delay_minutes": st.integers(0, MAX_DELAY), "media_ids": st.just(["1"])},
    ),
    max_size=MAX_PARTS,
)


@given(PARTS)
def test_a_thread_comes_through_part_by_part(parts: list[dict[str, Any]]) -> None:
    expected = [
        (f"thread.{index}", part["caption"], part.get("delay_minutes", 0))
        for index, part in enumerate(parts)
    ]
    assert thread_of(bulk({"thread": parts})) == expected
    assert thread_of(bulk({}, thread=parts)) == expected


def test_a_row_has_its_own_thread_or_none_or_the_default() -> None:
    assert thread_of(bulk({}, first_comment="all")) == [("first_comment", "all", 0)]
    assert thread_of(bulk({"thread": [PART]}, first_comment="all")) == [("thread.0", "more", 0)]
    assert thread_of(bulk({"thread": []}, first_comment="all")) == []
    assert thread_of(bulk({"thread": None}, thread=[PART])) == [("thread.0", "more", 0)]


@pytest.mark.parametrize(
    ("of_item", "of_bulk", "drops"),
    [
        (None, "refuse", False),
        (None, "where_supported", True),
        ("refuse", "where_supported", False),
        ("where_supported", "refuse", True),
    ],
)
def test_the_policy_of_a_row_wins(of_item: str | None, of_bulk: str, drops: bool) -> None:
    body = ensure_seed(bulk({"thread_policy": of_item}, thread_policy=of_bulk))
    [row] = bulk_rows(body, spread_of(body, NOON), {}, {}).rows
    assert row.drops_thread is drops


def test_a_schedule_knows_the_media_of_its_threads() -> None:
    own = [{**PART, "media_ids": ["2"]}]
    assert runs.media_ids(bulk({"thread": own}, thread=[{"media_ids": ["3"]}])) == [2, 3]
    playlist = Playlist(media_ids=["1"], integration_ids=["x"], first_comment="all")
    assert thread_of(runs._playlist_as_bulk(playlist, {0: ["x"]})) == [("first_comment", "all", 0)]


def test_an_edit_without_a_thread_leaves_it_and_one_with_none_ends_it() -> None:
    assert EditedContent.model_validate({"caption": "a"}).parts is None
    assert EditedContent.model_validate({"thread": []}).parts == []
