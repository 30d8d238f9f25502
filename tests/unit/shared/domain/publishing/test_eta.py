"""When a backlog is handed over, by budget, pace and due times."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.publishing.budget import WINDOW, BudgetState
from shared.domain.publishing.eta import Flow, Load, after_calls, done_at, drained_at

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def budget(**values: Any) -> BudgetState:
    known = {"limit": 90, "used": 0, "window_ends_at": None, "blocked_until": None}
    return BudgetState(**{**known, **values})


def flow(**values: Any) -> Flow:
    return Flow(now=NOW, budget=budget(**values), settle=MINUTE, pace=5)


def load(**values: Any) -> Load:
    due = values.pop("due", NOW)
    nothing = {"staged": 0, "staged_bytes": 0, "dates": 0, "writes": 0}
    times = {"first_due": due, "last_due": due, "ready_at": due}
    return Load(**{**nothing, **times, **values})


@pytest.mark.parametrize(
    ("calls", "state", "expected"),
    [
        (0, {"blocked_until": NOW + HOUR}, NOW),
        (1, {}, NOW),
        (87, {}, NOW),  # three are kept back
        (174, {}, NOW + WINDOW),
        (175, {}, NOW + 2 * WINDOW),
        (86, {"used": 1, "window_ends_at": NOW + MINUTE}, NOW),
        (87, {"used": 1, "window_ends_at": NOW + MINUTE}, NOW + MINUTE),
        (87, {"blocked_until": NOW + MINUTE}, NOW + MINUTE),
        (88, {"blocked_until": NOW + MINUTE}, NOW + MINUTE + WINDOW),
        (88, {}, NOW + WINDOW),
        (88, {"window_ends_at": NOW + MINUTE}, NOW + MINUTE),
        (2, {"used": 86, "window_ends_at": NOW + MINUTE}, NOW + MINUTE),
        (1, {"used": 87, "window_ends_at": NOW + MINUTE}, NOW + MINUTE),
        (88, {"used": 87, "window_ends_at": NOW + MINUTE}, NOW + MINUTE + WINDOW),
        (1, {"used": 90, "window_ends_at": NOW - MINUTE}, NOW),  # that window is over
        (1, {"blocked_until": NOW + MINUTE}, NOW + MINUTE),
        (31, {"limit": None}, NOW + WINDOW),  # as Postiz is shipped
        (3, {"own_limit": 1}, NOW + 2 * WINDOW),
    ],
)
def test_calls_wait_for_the_budget(calls: int, state: dict[str, Any], expected: datetime) -> None:
    assert after_calls(calls, flow(**state)) == expected


def test_a_staged_post_waits_for_its_call_its_rest_and_its_time() -> None:
    soon = load(staged=1, staged_bytes=400, writes=1)
    assert done_at(soon, [], flow()) == NOW + MINUTE
    assert done_at(load(staged=1, writes=1, due=NOW + HOUR), [], flow()) == NOW + HOUR
    assert done_at(load(writes=1), [], flow()) == NOW + timedelta(seconds=0.2)


def test_the_pace_of_writes_counts() -> None:
    assert done_at(load(writes=3000), [], flow()) == NOW + 10 * MINUTE


def test_status_changes_that_are_due_earlier_go_first_too() -> None:
    theirs = load(writes=600)
    assert done_at(load(writes=600), [theirs], flow()) == NOW + 4 * MINUTE
    assert drained_at([theirs], flow()) == NOW + 2 * MINUTE
    later = load(writes=600, due=NOW + MINUTE)
    assert done_at(load(writes=600), [later], flow()) == NOW + 2 * MINUTE
    begins_then = load(writes=600, first_due=NOW, last_due=NOW + HOUR)
    assert done_at(load(writes=600), [begins_then], flow()) == NOW + 2 * MINUTE


def test_what_is_due_earlier_on_the_account_goes_first() -> None:
    mine = load(dates=80, due=NOW + MINUTE)
    theirs = load(dates=80, due=NOW)
    assert done_at(mine, [theirs], flow()) == NOW + WINDOW + MINUTE
    assert done_at(theirs, [mine], flow()) == NOW + MINUTE
    half = load(dates=10, first_due=NOW, last_due=NOW + 2 * MINUTE)
    assert done_at(mine, [half], flow()) == NOW + MINUTE  # five of them are ahead
    assert drained_at([mine, theirs], flow()) == NOW + WINDOW + MINUTE
    assert drained_at([], flow()) is None


loads = st.builds(
    lambda staged, dates, start, length: Load(
        staged=staged,
        staged_bytes=400 * staged,
        dates=dates,
        writes=staged + dates,
        first_due=NOW + start * MINUTE,
        last_due=NOW + (start + length) * MINUTE,
        ready_at=NOW + (start + length) * MINUTE,
    ),
    st.integers(0, 20_000),
    st.integers(0, 500),
    st.integers(-60, 600),
    st.integers(0, 600),
)


@given(loads, st.lists(loads, max_size=4), loads, st.integers(0, 95))
def test_more_work_is_never_done_sooner(
    mine: Load, others: list[Load], more: Load, used: int
) -> None:
    state = flow(used=used, window_ends_at=NOW + 10 * MINUTE)
    alone, crowded = done_at(mine, others, state), done_at(mine, [*others, more], state)
    assert NOW <= alone <= crowded or mine.ready_at <= alone <= crowded
    assert alone >= mine.ready_at
