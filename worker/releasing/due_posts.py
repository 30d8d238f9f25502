"""Finds and locks the next posts of many profiles, in the order of their releases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    Select,
    TableValuedAlias,
    Text,
    cast,
    column,
    func,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from shared.domain.publishing.fairness import DueProfile, interleave, take_turns
from shared.models import Post, Profile, Submission
from worker.accounts import server_turns
from worker.accounts.eligibility import is_paused, may_go, near_its_time
from worker.accounts.set_aside import set_aside_for_jobs
from worker.staging.settle_time import has_few_recent_elements

#: How often to search in one claim, if posts of paused jobs are found and set aside.
SEARCHES = 3
#: Posts for Postiz's calendar that are due this soon go first.
NEAR = timedelta(minutes=2)


_PostRow = Row[Post, Profile, datetime, bool, bool, bool]


@dataclass(frozen=True, kw_only=True)
class Turns:
    """How many posts a profile may release now."""

    due: DueProfile
    count: int


@dataclass(frozen=True, kw_only=True)
class DuePost:
    """A post that may be released, locked until the end of the transaction."""

    post: Post
    profile: Profile
    server: str


def lock_due_posts(
    session: Session, wanted: Sequence[Turns], counts: Mapping[Any, int], settle_seconds: float
) -> list[DuePost]:
    """The next posts of these profiles. Posts of paused jobs are set aside, of a few jobs a search.

    `counts`: how many posts each profile has released, for the backlog's share.
    """
    for _ in range(SEARCHES):
        ids = _lock_in_order(session, wanted, counts)
        rows = session.execute(_details_query(ids, settle_seconds)).all()
        paused = {row.Post.job_id for row in rows if row.is_paused}
        if not paused:
            servers = {turns.due.profile_id: turns.due.server for turns in wanted}
            by_id = {row.Post.id: row for row in rows if row.may_publish}
            in_order = [by_id[post_id] for post_id in ids if post_id in by_id]
            return _keep_settled(session, in_order, servers, settle_seconds)
        set_aside_for_jobs(session, paused)
    return []


def _lock_in_order(
    session: Session, wanted: Sequence[Turns], counts: Mapping[Any, int]
) -> list[int]:
    near = _lock_first(session, wanted, near_its_time(NEAR))
    earliest = _lock_first(session, wanted)
    return interleave(
        take_turns(
            near.get(turns.due.profile_id, []),
            earliest.get(turns.due.profile_id, []),
            first=counts[turns.due.profile_id],
            count=turns.count,
        )
        for turns in wanted
    )


def _lock_first(
    session: Session, wanted: Sequence[Turns], *conditions: ColumnElement[bool]
) -> dict[str, list[int]]:
    """The first due posts of each profile; those that others have locked are passed over."""
    asked = _as_rows(wanted)
    first = (
        select(Post.id, Post.release_at)
        .where(*server_turns.could_be_released(), *conditions)
        .where(Post.account_id == asked.c.account_id, Post.profile_id == asked.c.profile_id)
        .order_by(Post.release_at, Post.id)
        .limit(asked.c.most)
        .with_for_update(skip_locked=True)
        .correlate(asked)
        .lateral("first_posts")
    )
    found: dict[str, list[int]] = {}
    query = select(asked.c.profile_id, first.c.id).join(first, true())
    for row in session.execute(query.order_by(first.c.release_at, first.c.id)):
        found.setdefault(row.profile_id, []).append(row.id)
    return found


def _as_rows(wanted: Sequence[Turns]) -> TableValuedAlias:
    lists = (
        cast([turns.due.profile_id for turns in wanted], ARRAY(Text)),
        cast([turns.due.account_id for turns in wanted], ARRAY(BigInteger)),
        cast([turns.count for turns in wanted], ARRAY(Integer)),
    )
    columns = (
        column("profile_id", Text),
        column("account_id", BigInteger),
        column("most", Integer),
    )
    return func.unnest(*lists).table_valued(*columns).render_derived(name="asked")


def _details_query(
    ids: Sequence[int], settle_seconds: float
) -> Select[Post, Profile, datetime, bool, bool, bool]:
    replied_at = func.coalesce(Submission.replied_at, func.now())
    settled_at = replied_at + timedelta(seconds=settle_seconds)
    return (
        select(
            Post,
            Profile,
            settled_at.label("settled_at"),
            (settled_at <= func.clock_timestamp()).label("is_settled"),
            is_paused().label("is_paused"),
            may_go().label("may_publish"),
        )
        .join(Profile, Profile.id == Post.profile_id)
        .join(Submission, Submission.id == Post.submission_id)
        .where(Post.id.in_(ids))
    )


def _keep_settled(
    session: Session, rows: Sequence[_PostRow], servers: Mapping[str, str], settle_seconds: float
) -> list[DuePost]:
    """Without those whose server has to be left quiet first; they are due when it was.

    `servers`: by profile.
    """
    unsettled = {servers[row.Profile.id] for row in rows if not row.is_settled}
    quiet = {
        server for server in unsettled if has_few_recent_elements(session, server, settle_seconds)
    }
    kept = []
    for row in rows:
        server = servers[row.Profile.id]
        if row.is_settled or server in quiet:
            kept.append(DuePost(post=row.Post, profile=row.Profile, server=server))
        else:
            later = update(Post).where(Post.id == row.Post.id).values(release_at=row.settled_at)
            session.execute(later)
    return kept
