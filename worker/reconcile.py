"""Reconcile: find out what became of a release, by looking; nothing is ever sent a second time."""

import time
from datetime import datetime, timedelta

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from shared import posts
from shared.domain.settling import GiveUp, HandedOver, LookAgain, settle_step
from shared.domain.states import PostState
from shared.errors import ClaimLost
from shared.models import Post
from shared.postiz import RemotePost
from worker import look, pace
from worker.runtime import Runtime
from worker.track import apply as apply_tracking

TURN = 1.0
UNKNOWN = "It may have been published. Look at the channel, and retry it only if it was not."


def settle(runtime: Runtime, account_id: int) -> None:
    """Look at every release of this account whose end is not known yet."""
    due = [Post.state == PostState.RELEASING, Post.lease_until <= func.now()]
    subjects = look.claim(runtime, account_id, due, lease_column="lease_until")
    ends = time.monotonic() + TURN
    for one, remote in look.read(runtime, account_id, subjects, ends=ends):
        _apply(runtime, one, remote)


def _apply(runtime: Runtime, one: look.Subject, remote: RemotePost | None) -> None:
    try:
        with runtime.database.transaction() as session:
            now = pace.clock(session)
            step = settle_step(
                remote.state if remote else None,
                age=now - one.released_at,
                unknown_after=timedelta(seconds=runtime.settings.unknown_release_seconds),
                give_up_after=timedelta(seconds=runtime.settings.outcome_unknown_seconds),
            )
            match step:
                case HandedOver():
                    _handed_over(session, one, now)
                case LookAgain(after=pause):
                    _look_again(session, one, pause)
                case GiveUp():
                    posts.fail(
                        session,
                        [one.post_id],
                        PostState.RELEASING,
                        code="outcome_unknown",
                        message="Postiz never said what became of the release.",
                        hint=UNKNOWN,
                        claim=one.claim,
                    )
    except ClaimLost:
        return
    if isinstance(step, HandedOver) and remote is not None:
        apply_tracking(runtime, one, remote)


def _handed_over(session: Session, one: look.Subject, now: datetime) -> None:
    posts.move(
        session,
        [one.post_id],
        PostState.RELEASING,
        PostState.SCHEDULED,
        event="scheduled",
        claim=one.claim,
        values={"attempts": 0, "track_at": max(now, one.publish_at) + timedelta(seconds=1)},
    )


def _look_again(session: Session, one: look.Subject, pause: timedelta) -> None:
    session.execute(
        update(Post)
        .where(Post.id == one.post_id, Post.claim == one.claim)
        .values(lease_until=func.now() + pause)
    )
