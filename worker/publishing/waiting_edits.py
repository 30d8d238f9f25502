"""Waiting edits: they replace the values of posts when the calls that carry the old ones ended."""

from datetime import timedelta

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.containment import contain_failures
from shared.domain.publishing.reconciliation import DELETED, DELETING
from shared.domain.publishing.states import PostState
from shared.models import Handover, Post
from shared.posts import edits, handovers, transitions
from worker.accounts import defects
from worker.accounts.eligibility import is_reachable

#: When an edit that failed with an unexpected error is tried again.
RETRY_DEFECT_AFTER = timedelta(minutes=5)


def is_unreachable() -> tuple[ColumnElement[bool], ...]:
    """Posts that are to be taken out of the calendar of an account that their profile has left.

    Where the delete was begun, it may be out of the calendar: such a post waits for its profile to
    come back, and is left to a person in the end (`unreachable_posts`).
    """
    return (
        Post.state == PostState.RESCHEDULING,
        Post.lease_until < func.now(),
        ~is_reachable(),
        ~exists().where(handovers.is_alive_of_post(), Handover.state.in_((DELETING, DELETED))),
    )


def drop_unreachable(session: Session) -> None:
    """Edits of posts in the calendar of an account that their profile has left: no key of ours can
    delete these posts any more, so they are published as they were."""
    query = select(Post.id).where(*is_unreachable()).order_by(Post.id).limit(edits.BATCH)
    ids = session.scalars(query.with_for_update(key_share=True, skip_locked=True)).all()
    transitions.move_posts(
        session,
        ids,
        PostState.RESCHEDULING,
        PostState.SCHEDULED,
        event=edits.TOO_LATE,
        values={"track_at": func.now()},
    )
    for post_id in ids:
        edits.drop_edit(session, post_id, "its profile has another Postiz account now")


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
