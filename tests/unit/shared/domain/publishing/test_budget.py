"""The budget: never overrun by us, and never believed to be larger than a reply said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.publishing.budget import (
    BudgetState,
    charge_call,
    default_reserve,
    free_at,
    refund_call,
    roll_window,
    update_from_reply,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=10)
UNKNOWN = BudgetState(limit=None, used=0, window_ends_at=None, blocked_until=None)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (UNKNOWN, NOW),
        (replace(UNKNOWN, limit=90, used=86, window_ends_at=SOON), NOW),
        (replace(UNKNOWN, limit=90, used=87, window_ends_at=SOON), SOON),  # 3 are kept back
        (replace(UNKNOWN, limit=3, used=2, window_ends_at=SOON), NOW),
        (replace(UNKNOWN, limit=3, used=3, window_ends_at=SOON), SOON),
        (replace(UNKNOWN, blocked_until=SOON), SOON),
        (replace(UNKNOWN, blocked_until=NOW), NOW),
        (replace(UNKNOWN, limit=3, used=3), NOW + timedelta(hours=1)),
        (replace(UNKNOWN, limit=90, own_limit=10, used=9, window_ends_at=SOON), SOON),
        (replace(UNKNOWN, limit=10, own_limit=90, used=9, window_ends_at=SOON), SOON),
        (replace(UNKNOWN, own_limit=2, used=2, window_ends_at=SOON), SOON),
        (replace(UNKNOWN, limit=90, own_reserve=0, used=89, window_ends_at=SOON), NOW),
        (replace(UNKNOWN, limit=90, own_reserve=20, used=70, window_ends_at=SOON), SOON),
        (replace(UNKNOWN, limit=3, own_reserve=50, used=0, window_ends_at=SOON), NOW),
    ],
)
def test_when_the_next_counted_call_may_be_made(state: BudgetState, expected: datetime) -> None:
    assert free_at(state, NOW, due_at=NOW) == expected


def told(
    state: BudgetState, *, remaining: int, resets_at: datetime = SOON, unsettled: int = 1
) -> BudgetState:
    return update_from_reply(
        state, NOW, limit=90, remaining=remaining, resets_at=resets_at, unsettled=unsettled
    )


def test_a_reply_raises_what_was_used_and_never_lowers_it() -> None:
    state = told(replace(UNKNOWN, used=5), remaining=89)
    assert state.used == 5
    assert told(state, remaining=80).used == 10


def test_a_call_that_is_counted_in_the_next_window_is_charged_to_that_one_alone() -> None:
    """Written down while the old one lasted, of which 86 were used."""
    state = replace(UNKNOWN, limit=90, used=86, window_ends_at=NOW + timedelta(seconds=1))
    ends_at = NOW + timedelta(seconds=3602)
    assert told(state, remaining=89, resets_at=ends_at) == replace(
        state, used=1, window_ends_at=ends_at
    )
    assert told(state, remaining=89, resets_at=ends_at, unsettled=3).used == 3
    assert told(state, remaining=60, resets_at=ends_at, unsettled=3).used == 30


def test_a_reply_that_comes_when_its_window_is_over_tells_the_limit_alone() -> None:
    """Its worker was frozen; meanwhile another one has begun the next window."""
    state = replace(UNKNOWN, limit=30, used=2, window_ends_at=NOW + timedelta(hours=1))
    assert told(state, remaining=4, resets_at=NOW) == replace(state, limit=90)


def test_a_reply_of_the_window_before_does_not_end_the_window_that_is_known() -> None:
    """Its window's end is rounded up, and counted from when the reply was read."""
    state = replace(UNKNOWN, limit=90, used=2, window_ends_at=NOW + timedelta(hours=1))
    assert told(state, remaining=4, resets_at=NOW + timedelta(seconds=21)) == state


def test_a_window_whose_end_was_only_supposed_ends_when_a_reply_says_so() -> None:
    state = charge_call(UNKNOWN, NOW)
    assert told(state, remaining=50) == replace(state, limit=90, used=40, window_ends_at=SOON)


def test_a_call_that_was_not_made_is_returned_once() -> None:
    assert refund_call(replace(UNKNOWN, used=2)).used == 1
    assert refund_call(UNKNOWN).used == 0


def test_a_window_that_ended_frees_the_budget_but_for_the_unsettled() -> None:
    state = replace(UNKNOWN, limit=30, used=30, window_ends_at=NOW)
    assert roll_window(state, NOW, unsettled=2).used == 2
    assert roll_window(replace(state, window_ends_at=SOON), NOW, unsettled=2).used == 30


@given(st.integers(1, 500))
def test_calls_stop_before_the_limit_with_the_reserve_kept(limit: int) -> None:
    state = replace(UNKNOWN, limit=limit, window_ends_at=SOON)
    made = 0
    while free_at(state, NOW, due_at=NOW) == NOW:
        state, made = charge_call(state, NOW), made + 1
    assert made == limit - default_reserve(limit)
    assert made >= 1


def test_replies_that_are_all_lost_block_an_account_for_a_window_and_not_for_ever() -> None:
    state = replace(UNKNOWN, limit=30)
    for _ in range(27):
        assert free_at(state, NOW, due_at=NOW) == NOW
        state = charge_call(state, NOW)
    later = free_at(state, NOW, due_at=NOW)
    assert later == NOW + timedelta(hours=1)
    assert free_at(roll_window(state, later, unsettled=0), later, due_at=later) == later


def test_parking_may_use_what_is_kept_back_but_not_more_than_the_owner_allows() -> None:
    state = replace(UNKNOWN, limit=90, own_limit=10, own_reserve=4, window_ends_at=SOON)
    assert free_at(replace(state, used=6), NOW, due_at=NOW) == SOON
    assert free_at(replace(state, used=6), NOW, due_at=None) == NOW
    assert free_at(replace(state, used=10), NOW, due_at=None) == SOON


@given(limit=st.integers(1, 500), own=st.integers(1, 500), kept=st.integers(0, 600))
def test_whatever_the_owner_wants_no_limit_is_overrun_and_one_call_is_left(
    limit: int, own: int, kept: int
) -> None:
    state = replace(UNKNOWN, limit=limit, own_limit=own, own_reserve=kept, window_ends_at=SOON)
    made = 0
    while free_at(state, NOW, due_at=NOW) == NOW:
        state, made = charge_call(state, NOW), made + 1
    assert made == max(1, min(limit, own) - kept)


def test_what_can_wait_for_the_next_window_leaves_the_last_calls_to_what_cannot() -> None:
    state = BudgetState(limit=90, used=80, window_ends_at=SOON, blocked_until=None)
    assert free_at(state, NOW, due_at=SOON) == NOW
    assert free_at(state, NOW, due_at=SOON + timedelta(seconds=1)) == SOON
    assert free_at(replace(state, used=77), NOW, due_at=SOON + timedelta(hours=1)) == NOW
