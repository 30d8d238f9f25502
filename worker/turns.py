"""Turns: who has a post to release, and when its server has a free moment for it."""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select, true

from shared.domain.states import PostState
from shared.domain.turns import Due, one_per_server
from shared.models import Account, Post, Profile, Server
from worker import accounts
from worker.bulkhead import suspect_servers
from worker.eligible import may_go
from worker.runtime import Runtime


def whose(runtime: Runtime) -> tuple[list[Due], float | None]:
    """Who may release a post now, and the seconds until a server that is busy has a free moment."""
    with runtime.database.transaction() as session:
        rows = session.execute(_due()).all()
        bad = suspect_servers(session)
    free = [
        Due(
            profile_id=row.id,
            account_id=row.account_id,
            server=row.server,
            due_at=row.release_at,
            sound=row.failures == 0,
            suspect=row.failures > 0 or row.server in bad,
        )
        for row in rows
        if row.free_in <= 0
    ]
    busy = [float(row.free_in) for row in rows if row.free_in > 0]
    return one_per_server(free, runtime.served), min(busy, default=None)


@cache
def _due() -> Select[Any]:
    """Each profile with a post to release, since when, and in how many seconds its server is free.

    By a look into the index for each profile: what waits behind the first costs nothing.
    """
    first = (
        select(Post.release_at)
        .where(Post.account_id == Profile.account_id, Post.profile_id == Profile.id, ready())
        .order_by(Post.release_at)
        .limit(1)
        .correlate(Profile)
        .lateral()
    )
    free_in = func.extract("epoch", Server.next_write_at - func.clock_timestamp())
    return (
        select(
            Profile.id,
            Profile.account_id,
            Account.server,
            Account.failures,
            first.c.release_at,
            func.coalesce(free_in, 0.0).label("free_in"),
        )
        .join(Account, Account.id == Profile.account_id)
        .outerjoin(Server, Server.server == Account.server)
        .join(first, true())
        .where(accounts.rested())
    )


@cache
def ready() -> ColumnElement[bool]:
    """Which staged posts may be released now."""
    return and_(
        Post.state == PostState.STAGED,
        Post.release_at <= func.now(),
        Post.next_at <= func.now(),
        may_go(),
    )
