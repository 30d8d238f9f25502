"""How Postiz servers are: what was seen of their posts and accounts."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, case, exists, func, select, true
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.domain.publishing.reconciliation import OVERDUE
from shared.domain.publishing.server_verdicts import SeenOfServer, Verdict, judge_server
from shared.domain.publishing.states import PostState
from shared.models import Account, Event, Post, Profile, Server

#: Of each account, so many posts that were published last tell how long it takes.
RECENT = 100


@dataclass(frozen=True, kw_only=True)
class ServerHealth:
    """`seconds`: from a release to the publication, at half and at 99 % of the recent posts."""

    server: str
    base_url: str
    profile_ids: Sequence[str]  # that the caller may see
    verdict: Verdict
    since: datetime | None
    reason: str | None
    overdue: int
    last_published_at: datetime | None
    seconds: tuple[float, float] | None


def is_overdue() -> tuple[ColumnElement[bool], ...]:
    """Posts that their server should have published; as in the index for them."""
    return Post.state == PostState.SCHEDULED, Post.error_code == OVERDUE


def last_published() -> Select[datetime | None]:
    """When a post of the enclosing query's account was published last."""
    newest = (
        select(Post.published_at)
        .where(Post.account_id == Account.id, Post.published_at.is_not(None))
        .order_by(Post.published_at.desc())
        .limit(1)
    )
    return newest.correlate(Account)


def count_stuck(session: Session) -> dict[str, int]:
    """By server: its overdue posts that it should have sent after it published its last one."""
    handed_over = func.greatest(Post.released_at, Post.publish_at)
    overdue = {
        server: list(released)
        for server, released in session.execute(
            select(Account.server, func.array_agg(handed_over))
            .join(Account, Account.id == Post.account_id)
            .where(*is_overdue())
            .group_by(Account.server)
        )
    }
    recent = _recently_published()
    newest = select(Account.server, func.max(_publishes_at_least_until(recent)).label("newest"))
    newest = newest.join(recent, true()).where(Account.server.in_(overdue))
    rows = session.execute(newest.group_by(Account.server))
    published = {row.server: row.newest for row in rows}
    return {
        server: sum(_is_after(moment, published.get(server)) for moment in moments)
        for server, moments in overdue.items()
    }


def _recently_published() -> FromClause:
    """Of the enclosing query's account: the posts of which this was seen last."""
    due_at = func.greatest(Post.released_at, Post.publish_at).label("due_at")
    posts = select(Post.id, Post.published_at, due_at)
    posts = posts.where(Post.account_id == Account.id, Post.published_at.is_not(None))
    posts = posts.order_by(Post.published_at.desc()).limit(RECENT)
    return posts.correlate(Account).lateral("recent")


def _publishes_at_least_until(recent: FromClause) -> ColumnElement[datetime]:
    """When the server still published, judged by such a post. When it was seen says little: it may
    have been looked at long after; but one that was seen to be overdue was published after that.
    """
    was_overdue = exists().where(Event.post_id == recent.c.id, Event.event == OVERDUE)
    usual = func.least(recent.c.due_at, recent.c.published_at)
    return case((was_overdue, recent.c.published_at), else_=usual)


def _is_after(moment: datetime, other: datetime | None) -> bool:
    return other is None or moment > other


def find_stalled_accounts(session: Session, account_ids: Collection[int]) -> set[int]:
    """Those of these accounts on whose server nothing is released until it publishes again."""
    stalled = select(Account.id).join(Server, Server.server == Account.server)
    query = stalled.where(Account.id.in_(account_ids), Server.stalled_since.is_not(None))
    return set(session.scalars(query))


def read_health(session: Session, visible: VisibleProfiles) -> Iterator[ServerHealth]:
    """Of the servers of the visible profiles' accounts."""
    stuck = count_stuck(session)
    profiles = _profiles_by_server(session, visible)
    rows = session.execute(_facts_query().where(Account.server.in_(profiles))).all()
    times = _publishing_seconds(session, list(profiles))
    for row in rows:
        seconds = times.get(row.server)
        seen = SeenOfServer(
            stuck=stuck.get(row.server, 0),
            failing=row.failing,
            accounts=row.accounts,
            median=timedelta(seconds=seconds[0]) if seconds else None,
        )
        verdict, reason = judge_server(seen)
        yield ServerHealth(
            server=row.server,
            base_url=row.base_url,
            profile_ids=profiles[row.server],
            verdict=verdict,
            since=row.stalled_since if verdict is Verdict.STALLED else None,
            reason=reason,
            overdue=row.overdue,
            last_published_at=row.last_published_at,
            seconds=seconds,
        )


def _profiles_by_server(session: Session, visible: VisibleProfiles) -> dict[str, list[str]]:
    query = (
        select(Account.server, Profile.id)
        .join(Profile, Profile.account_id == Account.id)
        .where(visible.condition(Profile))
        .order_by(Profile.id)
    )
    found: dict[str, list[str]] = defaultdict(list)
    for server, profile_id in session.execute(query):
        found[server].append(profile_id)
    return found


def _facts_query() -> Select[*tuple[Any, ...]]:
    overdue = select(func.count()).where(Post.account_id == Account.id, *is_overdue())
    return (
        select(
            Account.server,
            func.min(Account.base_url).label("base_url"),
            func.count().label("accounts"),
            func.count().filter(Account.failures > 0).label("failing"),
            func.sum(overdue.correlate(Account).scalar_subquery()).label("overdue"),
            func.max(last_published().scalar_subquery()).label("last_published_at"),
            func.max(Server.stalled_since).label("stalled_since"),
        )
        .outerjoin(Server, Server.server == Account.server)
        .group_by(Account.server)
        .order_by(Account.server)
    )


def _publishing_seconds(session: Session, servers: Sequence[str]) -> dict[str, tuple[float, float]]:
    recent = (
        select((Post.published_at - Post.released_at).label("took"))
        .where(Post.account_id == Account.id, Post.published_at.is_not(None))
        .order_by(Post.published_at.desc())
        .limit(RECENT)
        .correlate(Account)
        .lateral()
    )
    took = func.extract("epoch", recent.c.took)
    shares = [func.percentile_cont(share).within_group(took) for share in (0.5, 0.99)]
    query = (
        select(Account.server, *shares)
        .join(recent, true())
        .where(Account.server.in_(servers), recent.c.took.is_not(None))
        .group_by(Account.server)
    )
    return {row[0]: (float(row[1]), float(row[2])) for row in session.execute(query)}
