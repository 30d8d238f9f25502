"""Which call comes next, and what a whole bulk will come to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.publishing.batching import MAX_BYTES, MAX_ELEMENTS, Candidate, Pack
from shared.domain.publishing.budget import WINDOW, BudgetState
from shared.domain.publishing.planner import (
    LATE,
    SOON,
    STAGED_AHEAD,
    Terms,
    Wait,
    forecast_posts,
    next_call,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SETTLE = timedelta(seconds=60)


def post(number: int = 0, *, at: datetime = NOON, **changes: Any) -> Candidate:
    values: dict[str, Any] = {
        "id": number,
        "key": "key",
        "handoff": "staged",
        "as_draft": False,
        "publish_at": at,
        "size": 400,
    }
    return Candidate(**{**values, **changes})


def terms(limit: int = 90, **changes: Any) -> Terms:
    budget = BudgetState(limit=limit, used=0, window_ends_at=None, blocked_until=None)
    values: dict[str, Any] = {"budget": budget, "settle": SETTLE, "writes_per_second": 5.0}
    return Terms(now=NOON, **{**values, **changes})


def test_what_is_due_soon_is_called_for_though_the_call_is_not_full() -> None:
    rows = [post(1, at=NOON + SOON), post(2, at=NOON + 5 * SOON)]
    assert next_call(rows, NOON) == Pack(posts=rows)


def test_a_call_that_is_not_urgent_waits_for_more_posts() -> None:
    rows = [post(n, at=NOON + SOON + n * MINUTE) for n in (1, 2)]
    assert next_call(rows, NOON) == Wait(until=NOON + MINUTE)


def test_a_full_call_is_made_however_early() -> None:
    rows = [post(n, at=NOON + 6 * SOON, size=MAX_BYTES // 2) for n in range(3)]
    assert next_call(rows, NOON) == Pack(posts=rows[:2], full=True)


def test_what_waits_for_its_own_date_is_not_held_up_by_staged_posts_that_wait() -> None:
    staged, dated = post(1, at=NOON + 2 * SOON), post(2, at=NOON + 3 * SOON, handoff="calendar")
    assert next_call([staged, dated], NOON) == Pack(posts=[dated])


def test_nothing_to_stage_is_no_call() -> None:
    assert next_call([], NOON) is None


def test_ten_thousand_posts_of_ordinary_size_go_out_with_less_than_sixty_calls() -> None:
    plan = forecast_posts([post(n) for n in range(10_000)], terms())
    assert len(plan.calls) <= 60
    assert plan.calls[-1].at < NOON + WINDOW
    assert len(plan.out_at) == 10_000


def test_ten_thousand_times_within_two_hours_are_kept() -> None:
    start = NOON + 10 * MINUTE
    rows = [post(n, at=start + n * timedelta(seconds=0.72)) for n in range(10_000)]
    plan = forecast_posts(rows, terms())
    assert len(plan.calls) <= 60
    assert plan.late == []
    assert all(plan.out_at[row.id] - row.publish_at <= timedelta(seconds=2) for row in rows)


def test_a_small_limit_stages_early_enough() -> None:
    rows = [post(n, at=NOON + 5 * MINUTE + n * timedelta(seconds=10)) for n in range(500)]
    plan = forecast_posts(rows, terms(limit=3))
    assert len(plan.calls) <= 3
    assert plan.late == []


def test_a_bulk_beyond_the_budget_says_what_will_be_late() -> None:
    rows = [post(n, size=MAX_BYTES) for n in range(5)]
    plan = forecast_posts(rows, terms(limit=3))
    assert [call.at for call in plan.calls[3:]] == [NOON + WINDOW, plan.calls[3].replied_at]
    assert set(plan.late) == {3, 4}


def test_what_is_not_published_late_costs_no_call_and_has_no_time() -> None:
    past = [post(n, at=NOON - 6 * MINUTE) for n in range(3)]
    soon = [post(n, at=NOON + MINUTE) for n in range(3, 5)]
    plan = forecast_posts([*past, *soon], terms(leaves_late=True))
    assert [[one.id for one in call.posts] for call in plan.calls] == [[3, 4]]
    assert (list(plan.late), set(plan.out_at)) == ([0, 1, 2], {3, 4})
    none = forecast_posts(past, terms(leaves_late=True))
    assert (none.calls, none.first_at, list(none.late)) == ([], None, [0, 1, 2])
    draft = post(9, at=NOON - 6 * MINUTE, handoff="calendar", as_draft=True)
    assert len(forecast_posts([draft], terms(leaves_late=True)).calls) == 1


def test_what_is_late_for_want_of_budget_is_left_out_where_nothing_goes_late() -> None:
    rows = [post(n, size=MAX_BYTES) for n in range(5)]
    plan = forecast_posts(rows, terms(limit=3, leaves_late=True))
    assert set(plan.late) == {3, 4}
    assert set(plan.out_at) == {0, 1, 2}
    assert len(plan.calls) == 3
    later = post(9, at=NOON + WINDOW + 2 * MINUTE, size=MAX_BYTES)
    plan = forecast_posts([*rows, later], terms(limit=1, leaves_late=True))
    assert [[one.id for one in call.posts] for call in plan.calls] == [[0], [9]]
    assert set(plan.late) == {1, 2, 3, 4}


def test_calls_of_others_go_first() -> None:
    plan = forecast_posts([post(1)], terms(limit=3, calls_before=3))
    assert plan.calls[0].at == NOON + WINDOW


def test_a_long_schedule_is_staged_a_day_at_a_time() -> None:
    rows = [post(n, at=NOON + n * 30 * MINUTE) for n in range(24 * 2 * 10)]  # ten days
    plan = forecast_posts(rows, terms())
    assert len(plan.calls) <= 12
    assert plan.late == []
    for call in plan.calls:
        assert all(one.publish_at - call.at <= STAGED_AHEAD for one in call.posts)


def test_a_date_of_its_own_costs_a_call_each() -> None:
    rows = [post(n, at=NOON + n * MINUTE, handoff="calendar") for n in range(10, 20)]
    plan = forecast_posts(rows, terms())
    assert len(plan.calls) == 10
    assert [plan.out_at[row.id] for row in rows] == [row.publish_at for row in rows]


def test_the_pace_of_writes_shows_in_the_times() -> None:
    plan = forecast_posts([post(n) for n in range(100)], terms())
    times = sorted(plan.out_at.values())
    assert times[-1] - times[0] == timedelta(seconds=99 / 5)


@pytest.mark.parametrize("count", [1, 5])
def test_a_few_posts_need_not_wait_for_postiz_to_settle(count: int) -> None:
    plan = forecast_posts([post(n) for n in range(count)], terms())
    assert plan.finishes_at is not None
    assert plan.finishes_at < NOON + SETTLE


posts_of_any_kind = st.lists(
    st.builds(
        lambda minutes, handoff, draft, size, key: {
            "at": NOON + minutes * MINUTE,
            "handoff": handoff,
            "as_draft": draft,
            "size": size,
            "key": key,
        },
        st.integers(-60, 4 * 24 * 60),
        st.sampled_from(["staged", "calendar"]),
        st.booleans(),
        st.integers(300, 60_000),
        st.sampled_from(["one", "two"]),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(posts_of_any_kind, st.integers(1, 40))
def test_every_plan_carries_each_post_once_within_the_budget(
    values: list[dict[str, Any]], limit: int
) -> None:
    rows = [post(n, **each) for n, each in enumerate(values)]
    plan = forecast_posts(rows, terms(limit=limit))
    carried = [one for call in plan.calls for one in call.posts]
    assert sorted(one.id for one in carried) == [row.id for row in rows]
    assert all(call.at >= NOON for call in plan.calls)
    windows = [call.at for call in plan.calls]
    first = windows[0] if windows else NOON
    assert sum(first <= at < first + WINDOW for at in windows) <= limit
    for call in plan.calls:
        assert len(call.posts) <= MAX_ELEMENTS
        assert len({one.group for one in call.posts}) == 1
        assert all(plan.out_at[one.id] >= call.replied_at for one in call.posts)
    undrafted = [row for row in rows if not row.as_draft]
    assert all(plan.out_at[row.id] >= row.publish_at for row in undrafted)
    assert set(plan.late) == {
        row.id for row in undrafted if plan.out_at[row.id] > row.publish_at + LATE
    }


@settings(max_examples=30)
@given(posts_of_any_kind)
def test_a_plan_is_the_same_whatever_order_the_posts_come_in(
    values: list[dict[str, Any]],
) -> None:
    rows = [post(n, **each) for n, each in enumerate(values)]
    assert forecast_posts(rows, terms()) == forecast_posts(reversed(rows), terms())


def test_a_blocked_account_waits_until_the_end_of_its_block() -> None:
    blocked = replace(terms().budget, blocked_until=NOON + 40 * MINUTE)
    plan = forecast_posts([post(1)], terms(budget=blocked))
    assert plan.calls[0].at == NOON + 40 * MINUTE
