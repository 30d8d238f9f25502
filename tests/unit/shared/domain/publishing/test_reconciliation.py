"""What is done about a post of which Postiz shows this."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.publishing import reconciliation
from shared.domain.publishing.reconciliation import (
    OVERDUE,
    UNSCHEDULED,
    Bury,
    Cancelled,
    Delete,
    Errored,
    Failed,
    FirstPublished,
    GiveUp,
    HandedOver,
    LookAgain,
    Overdue,
    Park,
    Patience,
    Published,
    Thread,
    TooLate,
    UserReport,
    Watch,
    cancel_step,
    reconcile_step,
    track_step,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def settle(
    state: str | None,
    age: timedelta,
    handover: str = reconciliation.RELEASING,
    in_2099: bool = False,
) -> object:
    return reconcile_step(
        state,
        handover=handover,
        in_2099=in_2099,
        age=age,
        unknown_after=1.5 * MINUTE,
        give_up_after=2 * HOUR,
    )


@pytest.mark.parametrize(
    "state", [reconciliation.QUEUE, reconciliation.PUBLISHED, reconciliation.ERROR]
)
@pytest.mark.parametrize("age", [timedelta(0), 3 * HOUR])
def test_whatever_is_no_draft_was_handed_over(state: str, age: timedelta) -> None:
    assert settle(state, age) == HandedOver()


@pytest.mark.parametrize(
    "handover", [reconciliation.RELEASING, reconciliation.PARKING, reconciliation.PARKED]
)
def test_an_absence_proves_nothing_and_in_the_end_a_person_decides(handover: str) -> None:
    assert isinstance(settle(None, timedelta(0), handover), LookAgain)
    assert isinstance(settle(None, HOUR, handover), LookAgain)
    assert settle(None, 2 * HOUR, handover) == GiveUp()


def test_a_draft_is_parked_once_a_late_status_change_must_have_landed_and_not_before() -> None:
    assert isinstance(settle(reconciliation.DRAFT, MINUTE), LookAgain)
    assert settle(reconciliation.DRAFT, 2 * MINUTE) == Park()
    assert (
        settle(reconciliation.DRAFT, 2 * MINUTE, reconciliation.PARKING) == Park()
    )  # harmless to repeat


def test_only_a_draft_seen_in_2099_is_deleted_and_only_then_may_it_be_gone() -> None:
    assert settle(reconciliation.DRAFT, HOUR, reconciliation.PARKED, in_2099=True) == Delete()
    assert settle(reconciliation.DRAFT, HOUR, reconciliation.DELETING, in_2099=True) == Delete()
    assert settle(None, HOUR, reconciliation.DELETING) == Bury()


def test_a_status_change_that_landed_around_the_move_is_never_staged_anew() -> None:
    assert isinstance(
        settle(reconciliation.QUEUE, HOUR, reconciliation.PARKED, in_2099=True), LookAgain
    )
    assert settle(reconciliation.QUEUE, 2 * HOUR, reconciliation.PARKED, in_2099=True) == GiveUp()
    assert (
        settle(reconciliation.PUBLISHED, HOUR, reconciliation.PARKED, in_2099=True) == HandedOver()
    )
    # its old date proves nothing while the move may still be on its way
    assert isinstance(settle(reconciliation.QUEUE, HOUR, reconciliation.PARKING), LookAgain)
    assert settle(reconciliation.ERROR, HOUR, reconciliation.PARKING) == HandedOver()


def track(state: str | None, *, late: timedelta, error_at: datetime | None = None) -> object:
    return track_step(
        state,
        now=NOW,
        due_at=NOW - late,
        error_at=error_at,
        patience=Patience(overdue=5 * MINUTE, error_final=30 * MINUTE, give_up=2 * HOUR),
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
        ("QUEUE", 2 * MINUTE, None, LookAgain(after=MINUTE)),
        ("QUEUE", 4.5 * MINUTE, None, LookAgain(after=MINUTE / 2)),  # when it will be overdue
        ("QUEUE", 5 * MINUTE, None, Overdue(code=OVERDUE, final=False, after=MINUTE)),
        ("DRAFT", 5 * MINUTE, None, Overdue(code=UNSCHEDULED, final=False, after=MINUTE)),
        ("QUEUE", 29.5 * MINUTE, None, Overdue(code=OVERDUE, final=False, after=MINUTE / 2)),
        ("QUEUE", 30 * MINUTE, None, Overdue(code=OVERDUE, final=True, after=3 * MINUTE)),
        ("QUEUE", 48 * HOUR, None, Overdue(code=OVERDUE, final=True, after=HOUR)),
        ("QUEUE", 72 * HOUR, None, Failed(code="outcome_unknown")),
        ("QUEUE", -HOUR, None, LookAgain(after=HOUR + timedelta(seconds=1))),
        ("QUEUE", -900 * HOUR, None, LookAgain(after=24 * HOUR)),
    ],
)
def test_the_next_step_of_a_tracked_post(
    state: str | None, late: timedelta, error_at: datetime | None, expected: object
) -> None:
    assert track(state, late=late, error_at=error_at) == expected


def follow(since: datetime | None, *, takes: timedelta = timedelta(0)) -> object:
    return track_step(
        "PUBLISHED",
        now=NOW,
        due_at=NOW - HOUR,
        error_at=None,
        patience=Patience(overdue=5 * MINUTE, error_final=30 * MINUTE, give_up=2 * HOUR),
        thread=Thread(takes=takes, since=since),
    )


@pytest.mark.parametrize(
    ("since", "takes", "expected"),
    [
        (None, timedelta(0), FirstPublished(after=timedelta(seconds=1))),
        (None, 20 * HOUR, FirstPublished(after=timedelta(seconds=1))),
        (NOW - MINUTE, timedelta(0), LookAgain(after=MINUTE)),
        (NOW - 4.5 * MINUTE, timedelta(0), LookAgain(after=MINUTE / 2)),
        (NOW - 5 * MINUTE, timedelta(0), Published()),
        (NOW - 5 * MINUTE, HOUR, LookAgain(after=MINUTE)),
        (NOW - 64 * MINUTE, HOUR, LookAgain(after=MINUTE)),
        (NOW - 65 * MINUTE, HOUR, Published()),
    ],
)
def test_a_thread_is_published_when_its_last_part_is_and_no_error_came(
    since: datetime | None, takes: timedelta, expected: object
) -> None:
    assert follow(since, takes=takes) == expected


def test_an_error_is_final_only_after_its_quiet_time() -> None:
    assert isinstance(track("ERROR", late=MINUTE), Errored)
    assert isinstance(track("ERROR", late=MINUTE, error_at=NOW - 29 * MINUTE), Errored)
    assert isinstance(track("ERROR", late=MINUTE, error_at=NOW - 30 * MINUTE), Failed)


@pytest.mark.parametrize("state", ["QUEUE", "DRAFT", "ERROR"])
def test_looks_grow_rarer_and_have_an_end(state: str) -> None:
    """Whatever Postiz goes on to show: few looks, at the moments at which something changes too."""
    now, error_at, looks, codes = NOW, None, 0, []
    while not isinstance(step := _tracked(state, now, error_at), Failed):
        assert isinstance(step, Errored | Overdue | LookAgain)
        error_at = error_at or (now if isinstance(step, Errored) else None)
        codes += [(step.code, step.final)] if isinstance(step, Overdue) else []
        looks, now = looks + 1, now + step.after
    assert looks < 150
    assert now - NOW <= reconciliation.FOLLOW_OVERDUE + HOUR
    if state == "QUEUE":
        assert list(dict.fromkeys(codes)) == [(OVERDUE, False), (OVERDUE, True)]


def _tracked(state: str, now: datetime, error_at: datetime | None) -> object:
    return track_step(
        state,
        now=now,
        due_at=NOW,
        error_at=error_at,
        patience=Patience(overdue=5 * MINUTE, error_final=30 * MINUTE, give_up=2 * HOUR),
    )


def on_word(
    state: str | None, *, in_2099: bool = False, watched: timedelta | None = None
) -> object:
    return reconcile_step(
        state,
        handover=reconciliation.DELETING if state is None else reconciliation.RELEASING,
        in_2099=in_2099,
        age=MINUTE,
        unknown_after=1.5 * MINUTE,
        give_up_after=2 * HOUR,
        report=UserReport(watched=watched),
    )


def test_on_a_persons_word_what_waits_is_parked_watched_for_a_while_and_deleted() -> None:
    assert on_word("QUEUE") == Park()
    assert on_word("DRAFT") == Park()
    assert isinstance(on_word("QUEUE", in_2099=True), Watch)
    assert isinstance(on_word("QUEUE", in_2099=True, watched=MINUTE), Watch)
    assert on_word("QUEUE", in_2099=True, watched=2 * MINUTE) == Delete()
    assert on_word("QUEUE", watched=2 * MINUTE) == Park()  # somebody moved it back
    assert on_word("DRAFT", in_2099=True) == Delete()
    assert on_word(None) == Bury()


@pytest.mark.parametrize("in_2099", [False, True])
@pytest.mark.parametrize("state", ["PUBLISHED", "ERROR"])
def test_a_word_that_was_mistaken_is_worth_nothing(state: str, in_2099: bool) -> None:
    assert on_word(state, in_2099=in_2099) == HandedOver()


def cancel(
    state: str | None,
    *,
    left: timedelta,
    released: bool = True,
    handover: str = reconciliation.RELEASING,
) -> object:
    overdue = -left >= 5 * MINUTE
    return cancel_step(state, released=released, handover=handover, left=left, overdue=overdue)


@pytest.mark.parametrize(
    ("state", "left", "expected"),
    [
        ("QUEUE", 3 * MINUTE, Delete()),
        ("QUEUE", MINUTE, TooLate()),
        ("QUEUE", -4 * MINUTE, TooLate()),
        ("QUEUE", -5 * MINUTE, Delete()),
        ("DRAFT", -5 * MINUTE, Delete()),
        ("ERROR", -MINUTE, Delete()),
        ("PUBLISHED", -5 * MINUTE, TooLate()),
        (None, -5 * MINUTE, Failed(code="removed_in_postiz")),
    ],
)
def test_the_next_step_of_a_released_post_that_is_taken_back(
    state: str | None, left: timedelta, expected: object
) -> None:
    assert cancel(state, left=left) == expected


def test_what_was_never_released_is_deleted_at_any_time_and_nothing_of_it_is_live() -> None:
    assert cancel("DRAFT", left=-HOUR, released=False) == Delete()
    assert cancel(None, left=-HOUR, released=False) == Cancelled(may_be_live=False)


@pytest.mark.parametrize(
    ("left", "may_be_live"), [(3 * MINUTE, False), (MINUTE, True), (-HOUR, True)]
)
def test_what_was_released_is_cancelled_once_its_delete_was_acknowledged(
    left: timedelta, may_be_live: bool
) -> None:
    """And says that it may have been sent, unless it was seen to be gone well before its time."""
    gone = cancel(None, left=left, handover=reconciliation.DELETED)
    assert gone == Cancelled(may_be_live=may_be_live)
    assert (
        cancel(None, left=left, handover=reconciliation.DELETING) == Delete()
    )  # it may only be hidden
