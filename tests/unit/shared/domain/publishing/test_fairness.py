"""Whose turn it is to release a post."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.publishing.fairness import (
    DueProfile,
    interleave,
    is_backlog_turn,
    order_fairly,
    share_turns,
    take_turns,
)

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


@pytest.mark.parametrize(
    ("room", "turns"),
    [
        ({"one": 6, "two": 9}, {"a": 2, "b": 2, "c": 2, "d": 9}),
        ({"one": 7, "two": 0}, {"a": 3, "b": 2, "c": 2}),
        ({"one": 2, "two": 1}, {"a": 1, "b": 1, "d": 1}),
        ({"one": 1}, {"a": 1}),
        ({}, {}),
    ],
)
def test_the_room_of_a_server_is_shared_by_its_profiles(
    room: dict[str, int], turns: dict[str, int]
) -> None:
    assert share_turns([due("a"), due("b"), due("c"), due("d", server="two")], room) == turns


@given(st.lists(st.sampled_from("abcdef"), max_size=20), st.integers(0, 20))
def test_no_server_gets_more_than_its_room_and_no_profile_much_more_than_another(
    names: list[str], room: int
) -> None:
    turns = share_turns([due(profile) for profile in dict.fromkeys(names)], {"one": room})
    assert sum(turns.values()) == (room if names else 0)
    assert not turns or max(turns.values()) - min(turns.values()) <= 1


@pytest.mark.parametrize(
    ("near", "earliest", "first", "count", "taken"),
    [
        ("nmo", "abcde", 0, 8, "nmoabcde"),
        ("nmop", "abcde", 0, 8, "nmoapbcd"),
        ("nmop", "abcde", 3, 2, "an"),
        ("n", "anb", 0, 9, "nab"),
        ("", "ab", 2, 1, "a"),
        ("", "", 0, 4, ""),
        ("nm", "ab", 0, 0, ""),
    ],
)
def test_the_turns_of_a_profile(
    near: str, earliest: str, first: int, count: int, taken: str
) -> None:
    """`nmop` have times of their own; every fourth turn goes to what is due for longest."""
    assert "".join(take_turns(near, earliest, first=first, count=count)) == taken


def test_profiles_go_in_turn() -> None:
    assert interleave(["abc", "", "x", "12"]) == ["a", "x", "1", "b", "2", "c"]
