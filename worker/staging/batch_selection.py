"""Chooses posts for an account's next counted call, from those that are due."""

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
from shared.containment import contain_failures
from shared.domain.publishing.batching import Candidate, Pack, interleave_candidates
from shared.domain.publishing.fairness import is_backlog_turn
from shared.domain.publishing.planner import CANDIDATES, SOON, Wait, next_call
from shared.media import upload_queue
from shared.media.post_media import list_media
from shared.models import Account, Post, Profile
from shared.postiz.payloads import Element, ElementPart, RemoteMedia
from worker.accounts import defects, leases
from worker.accounts.eligibility import (
    could_be_staged,
    is_due_for_staging,
    is_paused,
    may_send,
    missing_medium,
    near_its_time,
)
from worker.accounts.set_aside import set_aside_for_jobs, set_aside_for_media

#: When to plan again if no post can be staged now.
RETRY_AFTER = timedelta(seconds=10)
#: How often posts are set aside and the next ones read in one selection.
MAX_ROUNDS = 10
#: Minimum posts read per profile, however many profiles an account has.
MIN_PER_PROFILE = 20


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A post, the hash of its key, and what is sent for it."""

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
            parts=1 + len(self.element.parts),
            pack_limit=self.post.pack_limit,
        )


def choose_posts(
    session: Session, account: Account, last_led: dict[str, float], counts: Counter[int | str]
) -> list[Chosen]:
    """The posts of the next call: first those of the leading profile, then the earliest of all.

    The leader is the profile that led a call longest ago (`last_led`, which is updated).
    `counts`: calls per account.
    """
    now = db.read_clock(session)
    leaders = _order_leaders(session, account.id, last_led)
    call_count = counts[account.id]
    leader_due = _due_posts(session, account.id, call_count, leaders[:1])
    all_due = _due_posts(session, account.id, call_count, leaders) if len(leaders) > 1 else []
    by_id = {choice.post.id: choice for choice in [*leader_due, *all_due]}
    order = interleave_candidates(
        [choice.candidate for choice in leader_due], [choice.candidate for choice in all_due]
    )
    match next_call(order, now):
        case Wait(until=until):
            account.plan_at = min(until, now + leases.PLAN_AGAIN)
        case Pack(posts=posts_of_call):
            last_led[leaders[0]] = time.monotonic()
            counts[account.id] += 1
            return _lock_chosen(session, account.id, [by_id[choice.id] for choice in posts_of_call])
        case None:  # media are uploading, or posts are paused: the end wakes us
            account.plan_at = now + RETRY_AFTER
    return []


def _lock_chosen(session: Session, account_id: int, chosen: Sequence[Chosen]) -> list[Chosen]:
    """Lock the posts that may still be staged, and were not edited since they were read, until the
    transaction ends."""
    ids = [choice.post.id for choice in chosen]
    stageable = select(Post.id, Post.revision).where(
        is_due_for_staging(account_id), Post.id.in_(ids)
    )
    rows = session.execute(stageable.with_for_update(of=Post, skip_locked=True))
    locked = {(row.id, row.revision) for row in rows}
    return [choice for choice in chosen if (choice.post.id, choice.post.revision) in locked]


def _order_leaders(session: Session, account_id: int, last_led: Mapping[str, float]) -> list[str]:
    """The account's profiles with posts that could be staged, the one that led longest ago first.

    Reads one index entry per profile that may send, so that held profiles cost nothing.
    """
    first = _first_posts_query(account_id, 1)
    rows = session.execute(
        select(Profile.id, first.c.publish_at)
        .join(Account, Account.id == Profile.account_id)
        .join(first, true())
        .where(Profile.account_id == account_id, *may_send())
    ).all()
    ordered = sorted(rows, key=lambda row: (last_led.get(row.id, 0.0), row.publish_at))
    return [row.id for row in ordered]


def _first_posts_query(
    account_id: int, limit: int, *conditions: ColumnElement[bool]
) -> LateralFromClause:
    """The first posts of the enclosing query's profile."""
    of_profile = Post.account_id == account_id, Post.profile_id == Profile.id
    query = select(Post.id, Post.publish_at).where(*of_profile, *could_be_staged(), *conditions)
    first = query.order_by(Post.publish_at, Post.id).limit(limit)
    return first.correlate(Profile).lateral()


def _due_posts(
    session: Session, account_id: int, call_count: int, profile_ids: Sequence[str]
) -> list[Chosen]:
    """Posts that could be in the next call, in the order in which they are added to it."""
    timed = _due_rows(session, account_id, profile_ids, near_its_time(SOON))
    earliest = _due_rows(session, account_id, profile_ids)
    order = [*earliest, *timed] if is_backlog_turn(call_count) else [*timed, *earliest]
    rows = list({post.id: (post, key_hash) for post, key_hash in order}.values())
    elements = build_elements(session, account_id, [post for post, _ in rows])
    return [
        Chosen(post=post, key_hash=key_hash, element=elements[post.id])
        for post, key_hash in rows
        if post.id in elements
    ]


def _due_rows(
    session: Session, account_id: int, profile_ids: Sequence[str], *conditions: ColumnElement[bool]
) -> list[tuple[Post, str | None]]:
    """Due posts with their key hashes; posts that have to wait are set aside and replaced."""
    free: list[tuple[Post, str | None]] = []
    for _ in range(MAX_ROUNDS if profile_ids else 0):
        rows = session.execute(_candidates_query(account_id, profile_ids, *conditions)).all()
        waiting = _set_aside(session, account_id, rows)
        free = [(row[0], row[1]) for row in rows if row[0].id not in waiting]
        if not waiting:
            break
    return free


def _candidates_query(
    account_id: int, profile_ids: Sequence[str], *conditions: ColumnElement[bool]
) -> Select[*tuple[Any, ...]]:
    per_profile = max(MIN_PER_PROFILE, CANDIDATES // len(profile_ids))
    first = _first_posts_query(account_id, per_profile, *conditions)
    ids = select(first.c.id).select_from(Profile).join(first, true())
    return (
        select(
            Post,
            Profile.key_hash,
            is_paused().label("paused"),
            waits.is_of_other_account().label("elsewhere"),
            missing_medium().label("missing"),
        )
        .join(Profile, Profile.id == Post.profile_id)
        .where(Post.id.in_(ids.where(Profile.id.in_(profile_ids))))
        .order_by(Post.publish_at, Post.id)
        .limit(CANDIDATES)
        .execution_options(populate_existing=True)
    )


def _set_aside(session: Session, account_id: int, rows: Sequence[Row[Any]]) -> set[int]:
    """Set aside posts that wait for a pause to end, a channel or a medium; returns their ids."""
    paused = [row.Post for row in rows if row.paused]
    elsewhere_ids = [row.Post.id for row in rows if not row.paused and row.elsewhere]
    missing = {
        row.Post.id: row.missing
        for row in rows
        if row.missing is not None and not (row.paused or row.elsewhere)
    }
    if paused:
        set_aside_for_jobs(session, {post.job_id for post in paused})
    if elsewhere_ids:
        waits.set_other_account_aside(session, account_id, Post.id.in_(elsewhere_ids))
    if missing:
        set_aside_for_media(session, account_id, missing)
    return {*(post.id for post in paused), *elsewhere_ids, *missing}


def build_elements(
    session: Session,
    account_id: int,
    chosen: Sequence[Post],
    postiz_ids: Mapping[int, str] | None = None,
) -> dict[int, Element]:
    """What is sent for each post, by id; with `postiz_ids`, to change existing posts in Postiz.

    A post whose element cannot be built is left out and tried again later.
    """
    present = postiz_ids or {}
    wanted = {media_id for post in chosen for media_id in list_media(post)}
    remote = upload_queue.read_remote_media(session, account_id, wanted)
    elements: dict[int, Element] = {}
    for post in chosen:
        with contain_failures("element", post=post.id) as fate:
            element = Element(
                integration_id=post.integration_id,
                content=post.content,
                settings=post.settings,
                images=[remote[media_id] for media_id in post.media_ids],
                parts=[] if post.id in present else _build_parts(post, remote),
                postiz_id=present.get(post.id),
            )
            if element.size:  # also checks that it can be encoded
                elements[post.id] = element
        if fate.error is not None:
            defects.blame_post(session, post.id, defects.describe_error(fate.error))
    return elements


def _build_parts(post: Post, remote: Mapping[int, RemoteMedia]) -> list[ElementPart]:
    return [
        ElementPart(
            content=part["content"],
            images=[remote[media_id] for media_id in part["media_ids"]],
            delay_minutes=part["delay_minutes"],
        )
        for part in post.thread
    ]
