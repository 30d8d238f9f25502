"""Chooses the posts of an account's next counted call, from those that are due."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from shared import db
from shared.containment import contained
from shared.domain.packing import Candidate, Pack, in_turns
from shared.domain.planner import CANDIDATES, SOON, Wait, next_call
from shared.domain.turns import is_backlogs
from shared.models import Account, AccountMedia, Post, Profile
from shared.postiz_calls import Element, RemoteMedia
from worker import accounts, defects
from worker.eligible import due, near_its_time

#: Posts that cannot be staged for a reason of their own are looked at again after so long.
LOOK_AGAIN = timedelta(seconds=10)


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
    mine = _due_posts(session, account.id, turn, Post.profile_id == leaders[0]) if leaders else []
    all_due = _due_posts(session, account.id, turn) if len(leaders) > 1 else []
    by_id = {one.post.id: one for one in [*mine, *all_due]}
    order = in_turns([one.candidate for one in mine], [one.candidate for one in all_due])
    match next_call(order, now):
        case Wait(until=until):
            account.plan_at = min(until, now + accounts.PLAN_AGAIN)
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
    """The account's profiles with posts that may be staged, the one that led longest ago first."""
    first = select(Post.publish_at).where(due(account_id), Post.profile_id == Profile.id)
    first_due = first.order_by(Post.publish_at).limit(1).correlate(Profile).lateral()
    rows = session.execute(
        select(Profile.id, first_due.c.publish_at)
        .join(first_due, true())
        .where(Profile.account_id == account_id)
    ).all()
    turn = sorted(rows, key=lambda row: (led.get(row.id, 0.0), row.publish_at))
    return [row.id for row in turn]


def _due_posts(
    session: Session, account_id: int, turn: int, *of_whom: ColumnElement[bool]
) -> list[Chosen]:
    """Those that could be in the next call, in the order in which they get into it."""
    timed = _due_rows(session, account_id, near_its_time(SOON), *of_whom)
    earliest = _due_rows(session, account_id, *of_whom)
    order = [*earliest, *timed] if is_backlogs(turn) else [*timed, *earliest]
    rows = list({post.id: (post, key_hash) for post, key_hash in order}.values())
    elements = elements_of(session, account_id, [post for post, _ in rows])
    return [
        Chosen(post=post, key_hash=key_hash, element=elements[post.id])
        for post, key_hash in rows
        if post.id in elements
    ]


def _due_rows(
    session: Session, account_id: int, *which: ColumnElement[bool]
) -> list[tuple[Post, str | None]]:
    rows = session.execute(
        select(Post, Profile.key_hash)
        .join(Profile, Profile.id == Post.profile_id)
        .where(due(account_id), *which)
        .order_by(Post.publish_at, Post.id)
        .limit(CANDIDATES)
    ).all()
    return [(post, key_hash) for post, key_hash in rows]


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
