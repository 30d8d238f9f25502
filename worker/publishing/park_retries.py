"""Park retries: drafts whose move to 2099 failed are moved again, or left to a person.

A draft at its old date may still be published by a status change that arrives late. So it is never
staged again; it is tracked for a day, like all failed posts that may still be published.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from shared.domain.publishing.reconciliation import PARKING, RELEASING
from shared.domain.publishing.retry_limits import REFUSED_MOVES, UNCLEAR_MOVES, Tries
from shared.domain.publishing.states import PostState
from shared.models import Handover
from shared.posts import transitions
from worker.accounts.remote_posts import Subject, requeue_subjects
from worker.publishing import unknown_outcomes

#: When drafts that did not cause the failure are moved again.
SOON = timedelta(seconds=2)


def retry_unsent_move(session: Session, subjects: Sequence[Subject]) -> None:
    """The move was certainly not made, for a reason that concerns the account."""
    _reset_handovers(session, subjects)
    requeue_subjects(session, subjects, SOON)


def retry_unclear_move(session: Session, subjects: Sequence[Subject], reason: str) -> None:
    """The move may have been made, or may still be: a second move is harmless."""
    for subject in subjects:
        _retry_or_give_up(session, subject, UNCLEAR_MOVES, reason)


def retry_refused_move(
    session: Session, subjects: Sequence[Subject], offender: Subject | None, reason: str, *, of: int
) -> None:
    """Postiz refused a call with `of` drafts, and has moved none of them.

    If it did not name the draft at fault, the next calls are half as large.
    """
    _reset_handovers(session, subjects)
    others = [subject for subject in subjects if subject != offender]
    requeue_subjects(session, others, timedelta(0))
    if offender is None:
        halved = update(Handover).where(Handover.id.in_([draft.handover_id for draft in others]))
        session.execute(halved.values(pack_limit=max(1, of // 2)))
    elif offender in subjects:
        _retry_or_give_up(session, offender, REFUSED_MOVES, reason)


def _reset_handovers(session: Session, subjects: Sequence[Subject]) -> None:
    """No move is running, so Postiz's state QUEUE means a release again (docs/PROTOCOL.md)."""
    never_moved = [
        subject.handover_id for subject in subjects if subject.handover_state == RELEASING
    ]
    session.execute(
        update(Handover)
        .where(Handover.id.in_(never_moved), Handover.state == PARKING)
        .values(state=RELEASING)
    )


def _retry_or_give_up(session: Session, subject: Subject, allowed: Tries, reason: str) -> None:
    """Delay the next move, longer each time, or give up; the timeline gets the first failure."""
    tries_update = update(Handover).where(Handover.id == subject.handover_id)
    tries_update = tries_update.values(tries=Handover.tries + 1, to_park_at=None)
    tries = session.scalars(tries_update.returning(Handover.tries)).one()
    pause = allowed.pause(tries)
    if pause is None:
        _give_up_parking(session, subject, reason)
        return
    if tries == 1:
        transitions.add_events(session, [subject.post_id], "parking_failed", reason)
    requeue_subjects(session, [subject], pause)


def _give_up_parking(session: Session, subject: Subject, reason: str) -> None:
    unknown_outcomes.leave_to_person(
        session,
        [subject.post_id],
        PostState.RELEASING,
        "Postiz never said what became of the release, and the draft could not be moved "
        f"out of its reach: {reason}",
        claim=subject.claim,
        follow=True,
    )
