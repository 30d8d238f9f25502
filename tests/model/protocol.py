"""What the protocol decides, by the very tables that the workers ask, unless a test breaks it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.domain.publishing.reconciliation import (
    CancelStep,
    Patience,
    SettleStep,
    TrackStep,
    UserReport,
    cancel_step,
    reconcile_step,
    track_step,
)
from tests.model.rows import AGES, DUE, GIVE_UP_AFTER, LEFT, UNKNOWN_AFTER, Row, Seen

ERROR_FINAL = timedelta(minutes=30)
#: As early as the setting allows: the sooner a post is given up, the more may still happen to it.
OVERDUE_AFTER = UNKNOWN_AFTER
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True)
class ReleaseAgain:
    """What no correct protocol decides: a second status change for the same draft."""


Decision = SettleStep | ReleaseAgain
Settle = Callable[[Row, str, Seen], Decision]
Cancel = Callable[[Row, str, Seen], CancelStep]


def settle(row: Row, known: str, seen: Seen) -> Decision:
    """What the real table says of a release; `known`: the handover's state as it was claimed."""
    return reconcile_step(
        seen.state or None,
        handover=known,
        in_2099=seen.far,
        age=AGES[row.age],
        unknown_after=UNKNOWN_AFTER,
        give_up_after=GIVE_UP_AFTER,
        report=_word_of(row) if row.word else None,
    )


def _word_of(row: Row) -> UserReport:
    return UserReport(watched=None if row.watched < 0 else AGES[row.watched])


def cancel(row: Row, known: str, seen: Seen) -> CancelStep:
    """What the real table says of a released post that is taken back."""
    return cancel_step(
        seen.state or None,
        released=True,
        handover=known,
        left=LEFT[row.date] if row.date else -AGES[row.age],
        overdue=row.date == DUE and AGES[row.age] >= OVERDUE_AFTER,
    )


def track(row: Row, seen: Seen) -> TrackStep:
    """What the real table says of a post that Postiz has."""
    return track_step(
        seen.state or None,
        now=NOW,
        due_at=NOW + LEFT[row.date] if row.date else NOW - AGES[row.age],
        error_at=NOW - ERROR_FINAL if row.error_seen else None,
        patience=Patience(overdue=OVERDUE_AFTER, error_final=ERROR_FINAL, give_up=GIVE_UP_AFTER),
    )


@dataclass(frozen=True)
class Protocol:
    """How posts are released, and what is decided about a release of unknown end."""

    settle: Settle = settle
    cancel: Cancel = cancel
    waits_for_stray: bool = True  # the settle time between staging and release
    most_tries: int | None = 2  # of a move, and of a delete; None: without an end
    undoes_unclear_moves: bool = False  # takes a move without a reply for one that was refused
    frees_the_unmovable: bool = False  # stages anew what it could not move
    #: What is edited while it is in the calendar is deleted there before it is handed over anew
    takes_back: bool = True
    waits_for_edits: bool = True  # nothing is staged or released while an edit waits
    asks_anew: bool = True  # an edit ends the approval of what was there before
    approves_unseen: bool = False  # whatever there is by now, not what the page has shown
