"""Finds profiles with posts to release, and when their servers allow the next write."""

from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.orm import Session

from shared.domain.publishing.fairness import DueProfile, order_fairly
from shared.domain.publishing.states import PostState
from shared.models import Account, Post, Profile, Server
from shared.posts.approval import is_approved
from shared.posts.late_policy import is_in_time
from worker.accounts import rate_limiter
from worker.accounts.eligibility import is_rested, may_send
from worker.bulkhead import suspect_servers
from worker.runtime import Runtime

#: How far ahead to search for posts that are due next (seconds).
AHEAD = 1.0
#: Writes to a server within this time are claimed together; a post that becomes due meanwhile is no
#: later than this (seconds).
ROUND_SECONDS = 0.2


def find_releasable(runtime: Runtime) -> tuple[list[DueProfile], float | None]:
    """Profiles that may release a post now, in fair order; and seconds until the next, if soon."""
    with runtime.database.transaction() as session:
        rows = session.execute(releasable_query()).all()
        suspects = suspect_servers(session)
    releasable = [
        DueProfile(
            profile_id=row.id,
            account_id=row.account_id,
            server=row.server,
            due_at=row.release_at,
            waited=-float(row.waits),
            sound=row.failures == 0,
            suspect=row.failures > 0 or row.server in suspects,
            writes=rate_limiter.allowed_writes(
                float(row.next_in),
                per_second=runtime.settings.writes_per_second,
                ahead=ROUND_SECONDS,
            ),
        )
        for row in rows
        if row.waits <= 0
    ]
    pauses = [float(row.waits) for row in rows if row.waits > 0]
    return order_fairly(releasable, runtime.last_releases), min(pauses, default=None)


def is_release_due(session: Session, account_id: int) -> bool:
    """Whether a release on this account's server is due now or within a second."""
    server = select(Account.server).where(Account.id == account_id).scalar_subquery()
    on_server = releasable_query().where(Account.server == server).limit(1)
    return session.execute(on_server).first() is not None


@cache
def releasable_query() -> Select[Any]:
    """Each profile with a post to release now or soon: since when, and the seconds to wait.

    Reads only the first index entry of each profile, so that long queues cost nothing.
    """
    first = (
        select(Post.release_at)
        .where(Post.account_id == Profile.account_id, Post.profile_id == Profile.id)
        .where(*could_be_released(ahead=AHEAD))
        .order_by(Post.release_at)
        .limit(1)
        .correlate(Profile)
        .lateral()
    )
    next_write_at = func.coalesce(Server.next_write_at, func.now())
    moment = func.greatest(first.c.release_at, next_write_at)
    return (
        select(
            Profile.id,
            Profile.account_id,
            Account.server,
            Account.failures,
            first.c.release_at,
            func.extract("epoch", moment - func.clock_timestamp()).label("waits"),
            func.extract("epoch", next_write_at - func.clock_timestamp()).label("next_in"),
        )
        .join(Account, Account.id == Profile.account_id)
        .outerjoin(Server, Server.server == Account.server)
        .join(first, true())
        .where(is_rested(), *may_send(), Server.stalled_since.is_(None))
    )


def could_be_released(*, ahead: float = 0.0) -> tuple[ColumnElement[bool], ...]:
    """Staged posts that may be released within `ahead` seconds.

    These are the conditions on a post's own row; a post that waits for other rows is set aside.
    """
    return (
        Post.state == PostState.STAGED,
        Post.waits_for == "",
        Post.release_at <= func.now() + timedelta(seconds=ahead),
        Post.next_at <= func.now(),
        Post.take_back.is_(False),
        Post.edit.is_(None),
        is_approved(),
        is_in_time(),
    )
