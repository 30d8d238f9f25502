"""What goes into one counted call."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.publishing.batching import (
    MAX_BYTES,
    MAX_ELEMENTS,
    Candidate,
    Pack,
    fill_pack,
    interleave_candidates,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def candidate(number: int = 1, **changes: Any) -> Candidate:
    values: dict[str, Any] = {
        "id": number,
        "key": "key-of-acme",
        "handoff": "staged",
        "as_draft": False,
        "publish_at": NOON + timedelta(minutes=number),
        "size": 300,
    }
    return Candidate(**{**values, **changes})


def test_staged_posts_of_any_time_share_a_call() -> None:
    assert len(fill_pack([candidate(n) for n in range(20)]).posts) == 20


def test_posts_in_the_calendar_share_a_call_only_at_one_time() -> None:
    rows = [candidate(n, handoff="calendar", publish_at=NOON) for n in (1, 2)]
    assert fill_pack([*rows, candidate(3, handoff="calendar")]).posts == rows


def test_a_call_is_made_with_one_key_only() -> None:
    rows = [candidate(1), candidate(2, key="another"), candidate(3)]
    assert [one.id for one in fill_pack(rows).posts] == [1, 3]


def test_drafts_and_posts_do_not_mix() -> None:
    rows = [candidate(1, as_draft=True), candidate(2), candidate(3, handoff="calendar")]
    assert [one.id for one in fill_pack(rows).posts] == [1]


def test_a_halved_pack_stays_halved() -> None:
    rows = [candidate(n, pack_limit=2) for n in range(5)]
    assert fill_pack(rows) == Pack(posts=rows[:2], full=True)


def test_a_post_too_large_for_any_call_goes_alone() -> None:
    assert len(fill_pack([candidate(1, size=MAX_BYTES + 1), candidate(2)]).posts) == 1


@given(st.lists(st.integers(200, 40_000), max_size=400))
def test_a_pack_is_a_prefix_that_fits(sizes: list[int]) -> None:
    rows = [candidate(n, size=size) for n, size in enumerate(sizes)]
    packed = fill_pack(rows)
    chosen = list(packed.posts)
    assert chosen == rows[: len(chosen)]
    assert packed.full == (len(chosen) < len(rows))
    assert len(chosen) <= MAX_ELEMENTS
    assert sum(one.size for one in chosen) <= MAX_BYTES
    rest = rows[len(chosen) :]
    full = len(chosen) == MAX_ELEMENTS
    assert not rest or full or sum(one.size for one in chosen) + rest[0].size > MAX_BYTES


def test_two_queues_get_into_a_call_in_turns() -> None:
    mine, all_due = [candidate(8), candidate(9)], [candidate(1), candidate(8), candidate(2)]
    assert [one.id for one in interleave_candidates(mine, all_due)] == [8, 1, 9, 2]


def test_the_parts_of_threads_count_as_what_postiz_has_to_write() -> None:
    rows = [candidate(n, parts=21, size=1) for n in range(50)]
    packed = fill_pack(rows)
    assert (len(packed.posts), packed.full) == (MAX_ELEMENTS // 21, True)
    alone = fill_pack([candidate(1, parts=MAX_ELEMENTS + 1), candidate(2)])
    assert [one.id for one in alone.posts] == [1]
