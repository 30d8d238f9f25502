"""Gathers drafts to be parked, so that one counted call moves many; the budget sets how long."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.accounts.budget_queries import budget_remaining
from shared.domain.publishing.park_gathering import gathering_time
from shared.domain.publishing.states import PostState
from shared.models import Account, Handover, Post
from shared.posts import handovers
from worker.accounts import rate_limiter, remote_posts
from worker.runtime import Runtime


def are_complete(
    runtime: Runtime, account_id: int, subjects: Sequence[remote_posts.Subject], *, full: int
) -> bool:
    """Whether to move the drafts now: `full` are ready, or the first has waited long enough.

    Otherwise the drafts are due again at that time.
    """
    unknown_after = timedelta(seconds=runtime.settings.unknown_release_seconds)
    with runtime.database.transaction() as session:
        _note_ready(session, subjects)
        since, ready = _summarize_ready_drafts(session, account_id)
        now = rate_limiter.clock(session)
        left = budget_remaining(session.get_one(Account, account_id), now)
        pause = since + gathering_time(left, unknown_after) - now
        if ready >= full or pause <= timedelta(0):
            return True
        remote_posts.requeue_subjects(session, subjects, pause)
        return False


def _note_ready(session: Session, subjects: Sequence[remote_posts.Subject]) -> None:
    ids = [subject.handover_id for subject in subjects]
    first_seen = update(Handover).where(Handover.id.in_(ids), Handover.to_park_at.is_(None))
    session.execute(first_seen.values(to_park_at=func.clock_timestamp()))


def _summarize_ready_drafts(session: Session, account_id: int) -> tuple[datetime, int]:
    """Since when the first of the account's drafts has waited to be parked, and how many wait."""
    query = (
        select(func.min(Handover.to_park_at), func.count())
        .join(Post, Post.id == Handover.post_id)
        .where(
            Post.account_id == account_id,
            Post.state == PostState.RELEASING,
            handovers.is_alive(),
            Handover.to_park_at.is_not(None),
        )
    )
    since, ready = session.execute(query).one()
    return since or rate_limiter.clock(session), ready
