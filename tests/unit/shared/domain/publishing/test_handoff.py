"""Calendar or staged: what gets every post of a job into Postiz before its time."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.publishing.handoff import ASSUMED_BUDGET, Situation, choose_handoff

NOW = datetime(2026, 8, 1, tzinfo=UTC)


def situation(budget: int | None) -> Situation:
    return Situation(now=NOW, budget=budget, settle=timedelta(seconds=60))


def hours(*ahead: float) -> list[datetime]:
    return [NOW + timedelta(hours=n) for n in ahead]


@pytest.mark.parametrize(
    ("times", "budget", "chosen"),
    [
        (hours(1, 2, 3), 3, "calendar"),
        (hours(1, 2, 3), 2, "staged"),
        (hours(1, 1, 1, 1), 1, "calendar"),  # one distinct time costs one call
        (hours(*range(1, ASSUMED_BUDGET + 1)), None, "calendar"),
        (hours(*range(1, ASSUMED_BUDGET + 2)), None, "staged"),
        (hours(1), 0, "staged"),
        (hours(0), 30, "staged"),
        (hours(-5, 1), 30, "staged"),  # one is late already
        (hours(0.05), 30, "staged"),  # too soon to settle in time
    ],
)
def test_auto_takes_the_calendar_where_all_fit(
    times: list[datetime], budget: int | None, chosen: str
) -> None:
    assert choose_handoff(times, situation(budget)) == chosen


@pytest.mark.parametrize("wanted", ["calendar", "staged"])
def test_the_users_word_decides(wanted: str) -> None:
    assert choose_handoff(hours(-1, 1), situation(0), wanted=wanted) == wanted


@pytest.mark.parametrize("wanted", ["auto", "calendar", "staged"])
def test_a_users_draft_keeps_its_date_and_so_goes_to_the_calendar(wanted: str) -> None:
    assert choose_handoff(hours(-1), situation(0), wanted=wanted, drafts=True) == "calendar"
