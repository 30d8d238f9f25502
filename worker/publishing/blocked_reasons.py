"""Blocked reasons: records on posts why they cannot be tracked any more."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, not_, select, update
from sqlalchemy.orm import Session

from shared.domain.networks.failure_reasons import Reason
from shared.domain.publishing.reconciliation import FOLLOW_OVERDUE
from shared.domain.publishing.states import PostState
from shared.jobs import progress
from shared.models import Post
from worker.accounts.eligibility import is_reachable
from worker.publishing import track, unknown_outcomes

#: Posts per call; the next round continues.
BATCH = 1000
CANNOT_BE_FOLLOWED = Reason(
    code=track.CANNOT_BE_FOLLOWED,
    message="The profile has another Postiz account now, so this post cannot be looked at.",
    hint="Look at the channel, or save a key of its organization again.",
)


def is_unexplained() -> tuple[ColumnElement[bool], ...]:
    """Scheduled posts that cannot be tracked, and do not say so yet."""
    long_due = func.now() - func.make_interval(0, 0, 0, 0, 0, 5)
    unsaid = Post.error_code.is_distinct_from(CANNOT_BE_FOLLOWED.code)
    return *_is_unreachable(long_due), unsaid


def is_given_up() -> tuple[ColumnElement[bool], ...]:
    """Scheduled posts that could not be tracked for too long."""
    return _is_unreachable(func.now() - FOLLOW_OVERDUE)


def record_for_scheduled(session: Session) -> None:
    """Mark scheduled posts that cannot be tracked, because their profile uses another account now.

    Their jobs no longer wait for them, and show this error.
    """
    progress.reopen_jobs(session, _record_reason(session, CANNOT_BE_FOLLOWED, *is_unexplained()))


def give_up_scheduled(session: Session) -> None:
    """Leave scheduled posts that could not be tracked for too long to a person."""
    query = select(Post.id).where(*is_given_up()).limit(BATCH)
    ids = session.scalars(query.with_for_update(of=Post, key_share=True, skip_locked=True)).all()
    unknown_outcomes.leave_to_person(session, ids, PostState.SCHEDULED, CANNOT_BE_FOLLOWED.message)


def _is_unreachable(due_before: ColumnElement[datetime]) -> tuple[ColumnElement[bool], ...]:
    return Post.state == PostState.SCHEDULED, Post.track_at < due_before, not_(is_reachable())


def _record_reason(
    session: Session, reason: Reason | None, *conditions: ColumnElement[bool]
) -> Sequence[int]:
    """Write the reason (or clear it with None) on some of these posts; returns their ids."""
    post_ids = select(Post.id).where(*conditions).limit(BATCH)
    unlocked_ids = post_ids.with_for_update(of=Post, key_share=True, skip_locked=True)
    values = {
        "error_code": reason and reason.code,
        "error_message": reason and reason.message,
        "error_hint": reason and reason.hint,
        "in_doubt": False,
    }
    changed = update(Post).where(Post.id.in_(unlocked_ids)).values(values).returning(Post.id)
    unsynchronized = {"synchronize_session": False}
    return session.scalars(changed, execution_options=unsynchronized).all()
