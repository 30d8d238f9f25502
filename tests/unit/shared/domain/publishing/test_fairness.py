"""Whose turn it is to release a post."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.publishing.fairness import DueProfile, is_backlog_turn, order_fairly

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def due(profile_id: str, minute: int = 0, server: str = "one") -> DueProfile:
    at = NOON + timedelta(minutes=minute)
    return DueProfile(profile_id=profile_id, account_id=1, server=server, due_at=at)


def test_the_earliest_due_goes_first() -> None:
    assert order_fairly([due("late", 5), due("early", 1)], {}) == [due("early", 1), due("late", 5)]


def test_a_profile_with_a_backlog_waits_for_one_that_had_no_turn_lately() -> None:
    backlog, single = due("backlog", 0), due("single", 5)
    assert order_fairly([backlog, single], {"backlog": 7.0}) == [single, backlog]
    assert order_fairly([backlog, single], {"backlog": 7.0, "single": 8.0}) == [backlog, single]


@given(st.lists(st.sampled_from("abcdef"), max_size=20), st.integers(1, 3))
def test_everyone_has_had_a_turn_after_as_many_as_there_are(names: list[str], each: int) -> None:
    rows = [due(profile) for profile in dict.fromkeys(names)]
    served: dict[str, float] = {}
    for turn in range(-(-len(rows) // each)):
        served |= {one.profile_id: float(turn + 1) for one in order_fairly(rows, served)[:each]}
    assert set(served) == {one.profile_id for one in rows}


def test_of_four_turns_a_backlog_has_one_and_never_waits_longer() -> None:
    turns = [is_backlog_turn(turn) for turn in range(8)]
    assert turns == [False, False, False, True, False, False, False, True]
