"""The sandbox counts POST /posts as Postiz's throttler does."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from local.sandbox.budget import Allowed, Blocked, Budget, count


def spend(
    times: Sequence[float], *, limit: int, window: float = 100.0, budget: Budget | None = None
) -> tuple[Budget, list[Allowed | Blocked]]:
    budget, verdicts = budget or Budget(), []
    for now in times:
        budget, verdict = count(budget, now=now, limit=limit, window=window)
        verdicts.append(verdict)
    return budget, verdicts


def test_replies_tell_what_is_left_and_for_how_long() -> None:
    _, verdicts = spend([1000, 1000.5, 1002], limit=3)
    assert verdicts == [
        Allowed(limit=3, remaining=2, reset=100),
        Allowed(limit=3, remaining=1, reset=100),
        Allowed(limit=3, remaining=0, reset=98),
    ]


def test_headers_hold_seconds_left() -> None:
    assert Allowed(limit=90, remaining=7, reset=42).headers() == {
        "X-RateLimit-Limit": "90",
        "X-RateLimit-Remaining": "7",
        "X-RateLimit-Reset": "42",
    }


def test_block_lasts_a_whole_window_from_the_trip() -> None:
    budget, verdicts = spend([0, 1, 60, 61], limit=2)
    assert verdicts[2:] == [Blocked(retry_after=100), Blocked(retry_after=99)]
    _, (still, free) = spend([159.5, 160], limit=2, budget=budget)
    assert still == Blocked(retry_after=1)
    assert isinstance(free, Allowed)


def test_calls_sent_into_a_block_count_towards_the_next_window() -> None:
    budget, _ = spend([0, 1, 60], limit=2)
    budget, _ = spend([110, 120], limit=2, budget=budget)
    budget, (again,) = spend([161], limit=2, budget=budget)
    assert again == Blocked(retry_after=100)
    assert (budget.trips, budget.counted, budget.refused) == (2, 2, 4)


def test_new_window_starts_with_the_first_call_after_the_old_one() -> None:
    _, (_, _, verdict) = spend([0, 99, 100], limit=2)
    assert verdict == Allowed(limit=2, remaining=1, reset=100)


def test_remaining_without_counting() -> None:
    budget, _ = spend([0], limit=3)
    assert budget.remaining(now=50, limit=3) == 2
    assert budget.remaining(now=100, limit=3) == 3
    blocked, _ = spend([0, 0], limit=1)
    assert blocked.remaining(now=50, limit=1) == 0


@given(
    st.lists(st.floats(min_value=0, max_value=20), max_size=60),
    st.integers(min_value=1, max_value=5),
)
def test_no_window_ever_lets_more_through_than_the_limit(gaps: list[float], limit: int) -> None:
    budget, now, allowed = Budget(), 0.0, []
    for gap in gaps:
        now += gap
        budget, verdict = count(budget, now=now, limit=limit, window=100.0)
        if isinstance(verdict, Allowed):
            allowed.append((budget.window_ends, now))
    for end in {end for end, _ in allowed}:
        assert len([1 for other, _ in allowed if other == end]) <= limit
