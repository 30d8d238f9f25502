"""Turns: who has a post to release, and when its server has a free moment for it."""

from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.orm import Session

from shared.domain.publishing.fairness import DueProfile, order_fairly
from shared.domain.publishing.states import PostState
from shared.models import Account, Post, Profile, Server
from shared.posts.late_policy import is_in_time
from worker.accounts.eligibility import is_rested, may_send
from worker.bulkhead import suspect_servers
from worker.runtime import Runtime

#: How far ahead a child looks that waits for what is due next (seconds).
AHEAD = 1.0


def find_releasable(runtime: Runtime) -> tuple[list[DueProfile], float | None]:
    """Who may release a post now, and the seconds until the next one may, if that is soon."""
    with runtime.database.transaction() as session:
        rows = session.execute(_releasable_query()).all()
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
        )
        for row in rows
        if row.waits <= 0
    ]
    pauses = [float(row.waits) for row in rows if row.waits > 0]
    return order_fairly(releasable, runtime.served), min(pauses, default=None)


def is_release_due(session: Session, account_id: int) -> bool:
    """Whether a write of this account's server is wanted for a release, now or in a moment."""
    server = select(Account.server).where(Account.id == account_id).scalar_subquery()
    on_server = _releasable_query().where(Account.server == server).limit(1)
    return session.execute(on_server).first() is not None


@cache
def _releasable_query() -> Select[Any]:
    """Each profile with a post to release at once or soon, since when, and how long it has to wait.

    By a look into the index for each profile: what waits behind the first costs nothing.
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
    moment = func.greatest(first.c.release_at, func.coalesce(Server.next_write_at, func.now()))
    return (
        select(
            Profile.id,
            Profile.account_id,
            Account.server,
            Account.failures,
            first.c.release_at,
            func.extract("epoch", moment - func.clock_timestamp()).label("waits"),
        )
        .join(Account, Account.id == Profile.account_id)
        .outerjoin(Server, Server.server == Account.server)
        .join(first, true())
        .where(is_rested(), *may_send())
    )


def could_be_released(*, ahead: float = 0.0) -> tuple[ColumnElement[bool], ...]:
    """Which staged posts may be released now, or within so many seconds, as far as their own rows
    tell: what else keeps them back sets them aside."""
    return (
        Post.state == PostState.STAGED,
        Post.waits_for == "",
        Post.release_at <= func.now() + timedelta(seconds=ahead),
        Post.next_at <= func.now(),
        Post.take_back.is_(False),
        is_in_time(),
    )
