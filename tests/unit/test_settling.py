"""What is done about a post of which Postiz shows this."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain import settling
from shared.domain.settling import (
    Bury,
    Delete,
    Errored,
    Failed,
    GiveUp,
    HandedOver,
    LookAgain,
    Park,
    Published,
    settle_step,
    track_step,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def settle(
    state: str | None, age: timedelta, handover: str = settling.RELEASING, in_2099: bool = False
) -> object:
    return settle_step(
        state,
        handover=handover,
        in_2099=in_2099,
        age=age,
        unknown_after=1.5 * MINUTE,
        give_up_after=2 * HOUR,
    )


@pytest.mark.parametrize("state", [settling.QUEUE, settling.PUBLISHED, settling.ERROR])
@pytest.mark.parametrize("age", [timedelta(0), 3 * HOUR])
def test_whatever_is_no_draft_was_handed_over(state: str, age: timedelta) -> None:
    assert settle(state, age) == HandedOver()


@pytest.mark.parametrize("handover", [settling.RELEASING, settling.PARKING, settling.PARKED])
def test_an_absence_proves_nothing_and_in_the_end_a_person_decides(handover: str) -> None:
    assert isinstance(settle(None, timedelta(0), handover), LookAgain)
    assert isinstance(settle(None, HOUR, handover), LookAgain)
    assert settle(None, 2 * HOUR, handover) == GiveUp()


def test_a_draft_is_parked_once_a_late_status_change_must_have_landed_and_not_before() -> None:
    assert isinstance(settle(settling.DRAFT, MINUTE), LookAgain)
    assert settle(settling.DRAFT, 2 * MINUTE) == Park()
    assert settle(settling.DRAFT, 2 * MINUTE, settling.PARKING) == Park()  # harmless to repeat


def test_only_a_draft_seen_in_2099_is_deleted_and_only_then_may_it_be_gone() -> None:
    assert settle(settling.DRAFT, HOUR, settling.PARKED, in_2099=True) == Delete()
    assert settle(settling.DRAFT, HOUR, settling.DELETING, in_2099=True) == Delete()
    assert settle(None, HOUR, settling.DELETING) == Bury()


def test_a_status_change_that_landed_around_the_move_is_never_staged_anew() -> None:
    assert isinstance(settle(settling.QUEUE, HOUR, settling.PARKED, in_2099=True), LookAgain)
    assert settle(settling.QUEUE, 2 * HOUR, settling.PARKED, in_2099=True) == GiveUp()
    assert settle(settling.PUBLISHED, HOUR, settling.PARKED, in_2099=True) == HandedOver()
    # its old date proves nothing while the move may still be on its way
    assert isinstance(settle(settling.QUEUE, HOUR, settling.PARKING), LookAgain)
    assert settle(settling.ERROR, HOUR, settling.PARKING) == HandedOver()


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
