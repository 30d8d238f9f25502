"""What is done about a post of which Postiz shows this."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain import settling
from shared.domain.settling import (
    Errored,
    Failed,
    GiveUp,
    HandedOver,
    LookAgain,
    Published,
    settle_step,
    track_step,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def settle(state: str | None, age: timedelta) -> object:
    return settle_step(state, age=age, unknown_after=1.5 * MINUTE, give_up_after=2 * HOUR)


@pytest.mark.parametrize("state", [settling.QUEUE, settling.PUBLISHED, settling.ERROR])
@pytest.mark.parametrize("age", [timedelta(0), 3 * HOUR])
def test_whatever_is_no_draft_was_handed_over(state: str, age: timedelta) -> None:
    assert settle(state, age) == HandedOver()


@pytest.mark.parametrize("state", [settling.DRAFT, None])
def test_a_draft_or_an_absence_proves_nothing_and_a_person_decides(state: str | None) -> None:
    assert isinstance(settle(state, timedelta(0)), LookAgain)
    assert isinstance(settle(state, HOUR), LookAgain)
    assert settle(state, 2 * HOUR) == GiveUp()


def track(state: str | None, *, late: timedelta, error_at: datetime | None = None) -> object:
    return track_step(
        state,
        now=NOW,
        due_at=NOW - late,
        error_at=error_at,
        error_final=30 * MINUTE,
        give_up_after=2 * HOUR,
    )


@pytest.mark.parametrize(
    ("state", "late", "error_at", "expected"),
    [
        ("PUBLISHED", MINUTE, None, Published()),
        ("PUBLISHED", -HOUR, None, Published()),  # somebody pressed "now" in Postiz
        (None, MINUTE, None, Failed(code="removed_in_postiz")),
        ("ERROR", MINUTE, NOW - HOUR, Failed(code="failed_in_postiz")),
        ("DRAFT", 3 * HOUR, None, Failed(code="unscheduled_in_postiz")),
        ("QUEUE", timedelta(seconds=2), None, LookAgain(after=timedelta(seconds=1))),
        ("QUEUE", timedelta(seconds=30), None, LookAgain(after=timedelta(seconds=5))),
        ("QUEUE", 5 * HOUR, None, LookAgain(after=MINUTE)),
        ("QUEUE", -HOUR, None, LookAgain(after=HOUR + timedelta(seconds=1))),
    ],
)
def test_the_next_step_of_a_tracked_post(
    state: str | None, late: timedelta, error_at: datetime | None, expected: object
) -> None:
    assert track(state, late=late, error_at=error_at) == expected


def test_an_error_is_final_only_after_its_quiet_time() -> None:
    assert isinstance(track("ERROR", late=MINUTE), Errored)
    assert isinstance(track("ERROR", late=MINUTE, error_at=NOW - 29 * MINUTE), Errored)
    assert isinstance(track("ERROR", late=MINUTE, error_at=NOW - 30 * MINUTE), Failed)
