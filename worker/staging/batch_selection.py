"""Chooses the posts of an account's next counted call, from those that are due."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, select, true
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import LateralFromClause

from shared import db
from shared.accounts import waits
from shared.containment import contained
from shared.domain.publishing.batching import Candidate, Pack, in_turns
from shared.domain.publishing.fairness import is_backlogs
from shared.domain.publishing.planner import CANDIDATES, SOON, Wait, next_call
from shared.models import Account, AccountMedia, Post, Profile
from shared.postiz.payloads import Element, RemoteMedia
from worker.accounts import defects, leases
from worker.accounts.eligibility import (
    could_be_staged,
    due,
    is_paused,
    may_send,
    missing_medium,
    near_its_time,
)
from worker.accounts.set_aside import set_aside_for_jobs, set_aside_for_media

#: Posts that cannot be staged for a reason of their own are looked at again after so long.
LOOK_AGAIN = timedelta(seconds=10)
#: So often those at the front are set aside in one look.
ROUNDS = 10
#: Of each profile at least so many are looked at, however many profiles an account has.
FEWEST = 20


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A post, whose key it goes out with, and what is sent of it."""

    post: Post
    key_hash: str | None
    element: Element

    @property
    def candidate(self) -> Candidate:
        return Candidate(
            id=self.post.id,
            key=self.key_hash,
            handoff=self.post.handoff,
            as_draft=self.post.as_draft,
            publish_at=self.post.publish_at,
            size=self.element.size,
            pack_limit=self.post.pack_limit,
        )


def choose(
    session: Session, account: Account, led: dict[str, float], taken: Counter[int | str]
) -> list[Chosen]:
    """The posts of the next call: of the profile whose turn it is, and the earliest of all.

    `led` tells when each profile led a call, and is told who leads this one; `taken` counts the
    account's calls.
    """
    now = db.clock(session)
    leaders = _leaders(session, account.id, led)
    turn = taken[account.id]
    mine = _due_posts(session, account.id, turn, leaders[:1])
    all_due = _due_posts(session, account.id, turn, leaders) if len(leaders) > 1 else []
    by_id = {one.post.id: one for one in [*mine, *all_due]}
    order = in_turns([one.candidate for one in mine], [one.candidate for one in all_due])
    match next_call(order, now):
        case Wait(until=until):
            account.plan_at = min(until, now + leases.PLAN_AGAIN)
        case Pack(posts=posts_of_call):
            led[leaders[0]] = time.monotonic()
            taken[account.id] += 1
            return _locked(session, account.id, [by_id[one.id] for one in posts_of_call])
        case None:  # media are on their way, or somebody has paused them: who ends that wakes us
            account.plan_at = now + LOOK_AGAIN
    return []


def _locked(session: Session, account_id: int, chosen: Sequence[Chosen]) -> list[Chosen]:
    """Those that may still be staged, locked until we have written it down."""
    ids = [one.post.id for one in chosen]
    still = select(Post.id).where(due(account_id), Post.id.in_(ids))
    locked = set(session.scalars(still.with_for_update(of=Post, skip_locked=True)))
    return [one for one in chosen if one.post.id in locked]


def _leaders(session: Session, account_id: int, led: Mapping[str, float]) -> list[str]:
    """The account's profiles with posts that could be staged, the one that led longest ago first.

    By a look into the index for each profile that may send: what is held costs nothing.
    """
    first = _could_be_staged(account_id, 1)
    rows = session.execute(
        select(Profile.id, first.c.publish_at)
        .join(Account, Account.id == Profile.account_id)
        .join(first, true())
        .where(Profile.account_id == account_id, *may_send())
    ).all()
    turn = sorted(rows, key=lambda row: (led.get(row.id, 0.0), row.publish_at))
    return [row.id for row in turn]


def _could_be_staged(account_id: int, limit: int, *which: ColumnElement[bool]) -> LateralFromClause:
    """The first posts of the profile of the query around it."""
    of_profile = Post.account_id == account_id, Post.profile_id == Profile.id
    query = select(Post.id, Post.publish_at).where(*of_profile, *could_be_staged(), *which)
    first = query.order_by(Post.publish_at, Post.id).limit(limit)
    return first.correlate(Profile).lateral()


def _due_posts(
    session: Session, account_id: int, turn: int, profile_ids: Sequence[str]
) -> list[Chosen]:
    """Those that could be in the next call, in the order in which they get into it."""
    timed = _due_rows(session, account_id, profile_ids, near_its_time(SOON))
    earliest = _due_rows(session, account_id, profile_ids)
    order = [*earliest, *timed] if is_backlogs(turn) else [*timed, *earliest]
    rows = list({post.id: (post, key_hash) for post, key_hash in order}.values())
    elements = elements_of(session, account_id, [post for post, _ in rows])
    return [
        Chosen(post=post, key_hash=key_hash, element=elements[post.id])
        for post, key_hash in rows
        if post.id in elements
    ]


def _due_rows(
    session: Session, account_id: int, profile_ids: Sequence[str], *which: ColumnElement[bool]
) -> list[tuple[Post, str | None]]:
    """What is met that has to wait is set aside, and those behind it are looked at."""
    free: list[tuple[Post, str | None]] = []
    for _ in range(ROUNDS if profile_ids else 0):
        rows = session.execute(_candidates(account_id, profile_ids, *which)).all()
        waiting = _set_aside(session, account_id, rows)
        free = [(row[0], row[1]) for row in rows if row[0].id not in waiting]
        if not waiting:
            break
    return free


def _candidates(
    account_id: int, profile_ids: Sequence[str], *which: ColumnElement[bool]
) -> Select[*tuple[Any, ...]]:
    each = max(FEWEST, CANDIDATES // len(profile_ids))
    first = _could_be_staged(account_id, each, *which)
    ids = select(first.c.id).select_from(Profile).join(first, true())
    return (
        select(
            Post,
            Profile.key_hash,
            is_paused().label("paused"),
            waits.elsewhere().label("elsewhere"),
            missing_medium().label("missing"),
        )
        .join(Profile, Profile.id == Post.profile_id)
        .where(Post.id.in_(ids.where(Profile.id.in_(profile_ids))))
        .order_by(Post.publish_at, Post.id)
        .limit(CANDIDATES)
        .execution_options(populate_existing=True)
    )


def _set_aside(session: Session, account_id: int, rows: Sequence[Row[Any]]) -> set[int]:
    """The posts that wait for a pause to end, for a channel or for a medium."""
    paused = [row.Post for row in rows if row.paused]
    strangers = [row.Post.id for row in rows if not row.paused and row.elsewhere]
    missing = {
        row.Post.id: row.missing
        for row in rows
        if row.missing is not None and not (row.paused or row.elsewhere)
    }
    if paused:
        set_aside_for_jobs(session, {post.job_id for post in paused})
    if strangers:
        waits.set_elsewhere_aside(session, account_id, Post.id.in_(strangers))
    if missing:
        set_aside_for_media(session, account_id, missing)
    return {*(post.id for post in paused), *strangers, *missing}


def elements_of(
    session: Session,
    account_id: int,
    chosen: Sequence[Post],
    postiz_ids: Mapping[int, str] | None = None,
) -> dict[int, Element]:
    """What is sent of each post, by its id; with `postiz_ids`, to change those posts in place.

    One of which it cannot be made is left out, and tried again later.
    """
    present = postiz_ids or {}
    wanted = {media_id for post in chosen for media_id in post.media_ids}
    uploaded = session.scalars(
        select(AccountMedia).where(
            AccountMedia.account_id == account_id, AccountMedia.media_id.in_(wanted)
        )
    )
    remote = {
        row.media_id: RemoteMedia(id=row.postiz_id or "", path=row.postiz_path or "")
        for row in uploaded
    }
    elements: dict[int, Element] = {}
    for post in chosen:
        with contained("element", post=post.id) as fate:
            element = Element(
                integration_id=post.integration_id,
                content=post.content,
                settings=post.settings,
                images=[remote[media_id] for media_id in post.media_ids],
                postiz_id=present.get(post.id),
            )
            if element.size:  # so it can be encoded, too
                elements[post.id] = element
        if fate.error is not None:
            defects.blame_post(session, post.id, defects.in_words(fate.error))
    return elements
