"""Waiting edits: they replace the values of posts when the calls that carry the old ones ended."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.containment import contain_failures
from shared.domain.publishing.reconciliation import DELETED, DELETING
from shared.domain.publishing.states import PostState
from shared.models import Handover, Post
from shared.posts import edits, handovers, transitions
from worker.accounts import defects
from worker.accounts.eligibility import has_left_account

#: When an edit that failed with an unexpected error is tried again.
RETRY_DEFECT_AFTER = timedelta(minutes=5)


def is_unreachable() -> tuple[ColumnElement[bool], ...]:
    """Posts that are to be taken out of the Postiz of an account that their profile has left.

    Where the delete of one in the calendar was begun, it may be out of it: such a post waits for
    its profile to come back, and is left to a person in the end (`unreachable_posts`).
    """
    begun = exists().where(handovers.is_alive_of_post(), Handover.state.in_((DELETING, DELETED)))
    return (
        Post.state == PostState.RESCHEDULING,
        Post.lease_until < func.now(),
        has_left_account(),
        or_(Post.released_at.is_(None), ~begun),
    )


def end_unreachable(session: Session) -> None:
    """No key of ours can take these posts out of that Postiz any more: those in its calendar are
    published as they were, and a draft stays there, which never publishes."""
    query = select(Post.id, Post.released_at).where(*is_unreachable()).order_by(Post.id)
    locked = query.limit(edits.BATCH).with_for_update(key_share=True, skip_locked=True)
    rows = session.execute(locked).all()
    _drop(session, [row.id for row in rows if row.released_at is not None])
    _hand_over_elsewhere(session, [row.id for row in rows if row.released_at is None])


def _drop(session: Session, ids: Sequence[int]) -> None:
    transitions.drop_edits(session, ids, "its profile has another Postiz account now")
    transitions.move_posts(
        session,
        ids,
        PostState.RESCHEDULING,
        PostState.SCHEDULED,
        event=edits.TOO_LATE,
        values={"track_at": func.now()},
    )


def _hand_over_elsewhere(session: Session, ids: Sequence[int]) -> None:
    transitions.retire_handovers(session, ids, "edited", discard=True)
    transitions.move_posts(
        session,
        ids,
        PostState.RESCHEDULING,
        PostState.PENDING,
        event="draft_left_in_postiz",
        values=transitions.NOT_IN_POSTIZ,
    )
    edits.apply_edits(session, ids)


def apply_waiting(session: Session) -> None:
    """A batch of them; after an unexpected error each alone, so that one costs no other."""
    ids = edits.lock_waiting(session)
    uncontained = (OperationalError,)
    with contain_failures("edits", but=uncontained, posts=len(ids)) as fate, session.begin_nested():
        edits.apply_edits(session, ids)
    if not fate.failed:
        return
    for post_id in ids:
        with (
            contain_failures("edit", but=uncontained, post=post_id) as fate,
            session.begin_nested(),
        ):
            edits.apply_edits(session, [post_id])
        if fate.error is not None:
            defects.blame_post(session, post_id, defects.describe_error(fate.error))
            later = {"next_at": func.now() + RETRY_DEFECT_AFTER}
            session.execute(update(Post).where(Post.id == post_id).values(later))
