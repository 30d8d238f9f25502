"""Playlists: whose turn it is."""

from collections.abc import Container

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.timing import playlist
from shared.domain.timing.playlist import Selection, position_after_change


def select_media(
    position: int, length: int, *, per_run: int, loop: bool, passed_over: Container[int] = ()
) -> Selection:
    return playlist.select_media(
        position, length, per_run=per_run, loop=loop, take=lambda place: place not in passed_over
    )


def test_a_list_is_played_to_its_end_and_the_last_turn_may_be_short() -> None:
    assert select_media(0, 5, per_run=3, loop=False) == Selection(
        places=[0, 1, 2], position=3, ended=False
    )
    assert select_media(3, 5, per_run=3, loop=False) == Selection(
        places=[3, 4], position=5, ended=True
    )
    assert not select_media(5, 5, per_run=3, loop=False).places


def test_a_loop_begins_again_in_the_same_turn() -> None:
    assert select_media(3, 5, per_run=3, loop=True) == Selection(
        places=[3, 4, 0], position=1, ended=False
    )


def test_a_loop_repeats_no_medium_in_a_turn() -> None:
    assert select_media(1, 2, per_run=9, loop=True).places == [1, 0]


@pytest.mark.parametrize(
    ("loop", "passed_over", "expected"),
    [
        (True, {3}, Selection(places=[4, 0], position=1, ended=False)),
        (True, set(range(5)), Selection(places=[], position=3, ended=False)),
        (False, {3}, Selection(places=[4], position=5, ended=True)),
        (False, {4}, Selection(places=[3], position=4, ended=False)),
        (False, {3, 4}, Selection(places=[], position=3, ended=False)),
    ],
)
def test_a_medium_that_was_published_lately_is_passed_over(
    loop: bool, passed_over: set[int], expected: Selection
) -> None:
    assert select_media(3, 5, per_run=2, loop=loop, passed_over=passed_over) == expected


@given(st.integers(1, 30), st.integers(1, 10), st.booleans())
def test_every_medium_has_its_turn_in_order(length: int, per_run: int, loop: bool) -> None:
    played: list[int] = []
    position = 0
    while len(played) < length:
        found = select_media(position, length, per_run=per_run, loop=loop)
        played += found.places
        position = found.position
    assert played[:length] == list(range(length))
    assert loop or found.ended


@pytest.mark.parametrize(
    ("position", "after", "expected"),
    [(2, ["a", "b", "c", "d"], 2), (2, ["a", "x", "c"], 0), (2, ["a"], 0), (0, ["x"], 0)],
)
def test_a_changed_list_goes_on_where_it_was_if_the_beginning_stands(
    position: int, after: list[str], expected: int
) -> None:
    assert position_after_change(position, ["a", "b", "c"], after) == expected
