"""Release: have Postiz publish the drafts that are due, each by one status change, ever."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.orm import Session

from shared import failpoints, posts
from shared.domain.states import PostState
from shared.errors import ClaimLost, OutcomeUnknown, Paused, PostRejected, PressroomError
from shared.models import Account, Handover, Post, Profile, Submission
from worker import accounts, calling, pace, probe
from worker.decisions import Again, decide
from worker.reconcile import settle
from worker.runtime import Runtime
from worker.submissions import may_go

#: One child serves one account for so long at a time (seconds).
TURN = 1.0
#: With fewer elements created lately Postiz has no stray work that could kill a workflow.
FEW_ELEMENTS = 6
#: From a call's being written down to its reply, and more.
LONGEST_CALL = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Release:
    """One status change that may be made at `slot`."""

    post_id: int
    account_id: int
    handover_id: int
    postiz_id: str
    claim: int
    profile_id: str
    version: int
    key_hash: str | None
    slot: datetime
    asked_at: datetime


def release(runtime: Runtime, account_id: int) -> None:
    """Release what is due on this account for one turn, then read what became of it."""
    if not probe.answers(runtime, account_id):
        return
    ends = time.monotonic() + TURN
    released = False
    while time.monotonic() < ends and (one := _claim(runtime, account_id)):
        released = True
        if not _make(runtime, one):
            break
    if released:
        settle(runtime, account_id)
        runtime.waker.release(account_id)


def due(account: Account, settings_settle: float, *, few: bool) -> list[ColumnElement[bool]]:
    """Which staged posts may be released now: at their time, and once Postiz is at rest."""
    settled = exists().where(
        Submission.id == Post.submission_id,
        Submission.replied_at <= func.now() - timedelta(seconds=settings_settle),
    )
    return [
        Post.account_id == account.id,
        Post.state == PostState.STAGED,
        Post.release_at <= func.now(),
        Post.next_at <= func.now(),
        may_go(),
        *([] if few else [settled]),
    ]


def few_elements_lately(session: Session, server: str, seconds: float) -> bool:
    """Whether so little was created on that server that no stray work of it is to be feared."""
    since = func.now() - timedelta(seconds=seconds)
    query = select(func.coalesce(func.sum(Submission.elements), 0)).where(
        Submission.server == server,
        Submission.sent_at > since - LONGEST_CALL,
        or_(Submission.replied_at > since, Submission.sent_at > since),
    )
    return (session.scalar(query) or 0) < FEW_ELEMENTS


def _claim(runtime: Runtime, account_id: int) -> Release | None:
    """The next due post with a slot to release it in, committed as `releasing`."""
    settings = runtime.settings
    with runtime.database.transaction() as session:
        account = session.scalar(select(Account).where(Account.id == account_id, accounts.rested()))
        if account is None:
            return None
        few = few_elements_lately(session, account.server, settings.settle_seconds)
        post = session.scalar(
            select(Post)
            .where(*due(account, settings.settle_seconds, few=few))
            .order_by(Post.release_at, Post.id)
            .limit(1)
            .with_for_update(of=Post, skip_locked=True)
        )
        if post is None:
            return None
        slot = pace.take_slot(session, account.server, per_second=settings.writes_per_second)
        return _write_down(session, post, slot, settings.lease_seconds) if slot else None


def _write_down(session: Session, post: Post, slot: datetime, lease: float) -> Release:
    claim = accounts.new_claim()
    profile = session.get_one(Profile, post.profile_id)
    handover = session.execute(
        update(Handover)
        .where(
            Handover.post_id == post.id,
            Handover.buried_at.is_(None),
            Handover.released_at.is_(None),  # once per id, ever
        )
        .values(released_at=func.clock_timestamp(), state="releasing")
        .returning(Handover.id, Handover.postiz_id)
    ).one()
    posts.move(
        session,
        [post.id],
        PostState.STAGED,
        PostState.RELEASING,
        event="releasing",
        values={
            "claim": claim,
            "lease_until": func.now() + timedelta(seconds=lease),
            "attempts": Post.attempts + 1,
            "released_at": func.clock_timestamp(),
        },
    )
    return Release(
        post_id=post.id,
        account_id=post.account_id,
        handover_id=handover.id,
        postiz_id=handover.postiz_id,
        claim=claim,
        profile_id=profile.id,
        version=profile.settings_version,
        key_hash=profile.key_hash,
        slot=slot,
        asked_at=pace.clock(session),
    )


def _make(runtime: Runtime, one: Release) -> bool:
    """Make the status change. False when the account answered badly: its turn is over."""
    pace.wait_for(one.asked_at, one.slot)
    failpoints.hit("release.before_call")
    try:
        calling.call(
            runtime,
            one.profile_id,
            one.version,
            one.account_id,
            lambda postiz: postiz.release(one.postiz_id, check=lambda: _still_ours(runtime, one)),
        )
    except ClaimLost:
        return False  # frozen beyond the lease: whoever settles it now must not be disturbed
    except (OutcomeUnknown, PostRejected) as error:
        failpoints.hit("release.after_unclear")
        _unclear(runtime, one, error)
        return False
    except PressroomError as error:
        failpoints.hit("release.after_error")
        return _not_sent(runtime, one, error)
    failpoints.hit("release.after_call")
    with runtime.database.transaction() as session:
        accounts.answered(session, one.account_id)
        _answered(session, one, 200)
    failpoints.hit("release.after_commit")
    return True


def _still_ours(runtime: Runtime, one: Release) -> None:
    """The last question before the first byte: is the claim ours, and may the post go?"""
    with runtime.database.transaction() as session:
        ours = select(may_go()).where(
            Post.id == one.post_id,
            Post.claim == one.claim,
            Post.state == PostState.RELEASING,
            Post.lease_until > func.clock_timestamp(),
        )
        may = session.scalar(ours)
    if may is None:
        raise ClaimLost(f"post {one.post_id} is no longer ours to release")
    if not may:
        raise Paused("held back before it was released")


def _answered(session: Session, one: Release, status: int) -> None:
    """The reply is noted; what it is worth is read by `settle`, which may look at once."""
    session.execute(
        update(Handover).where(Handover.id == one.handover_id).values(release_status=status)
    )
    session.execute(
        update(Post)
        .where(Post.id == one.post_id, Post.claim == one.claim)
        .values(lease_until=func.now())
    )


def _unclear(runtime: Runtime, one: Release, error: PressroomError) -> None:
    """It may have been scheduled, or Postiz does not know the post: only a look can tell."""
    with runtime.database.transaction() as session:
        accounts.went_wrong(session, one.account_id, error, key_hash=one.key_hash)
        posts.add_events(session, [one.post_id], "release_unknown", error.message)
        _answered(session, one, 0)


def _not_sent(runtime: Runtime, one: Release, error: PressroomError) -> bool:
    """The status change certainly never left: the draft is as it was, and may be released later."""
    with runtime.database.transaction() as session:
        accounts.went_wrong(session, one.account_id, error, key_hash=one.key_hash)
        session.execute(
            update(Handover)
            .where(Handover.id == one.handover_id)
            .values(released_at=None, state="staged")
        )
        posts.move(
            session,
            [one.post_id],
            PostState.RELEASING,
            PostState.STAGED,
            event="release_delayed",
            detail=error.message,
            claim=one.claim,
            values={"attempts": Post.attempts - 1, "released_at": None},
        )
    return isinstance(decide(error), Again)
