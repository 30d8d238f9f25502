"""Reconcile: find out what became of a release, by looking; nothing is ever sent a second time.

A draft that still stands as one when a status change must long have landed is parked, deleted, and
staged anew. Each step is committed before the next one, so that any of them may be the last that a
worker makes.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, update
from sqlalchemy.orm import Session

from shared import failpoints, metrics
from shared.domain.publishing.reconciliation import (
    Bury,
    Delete,
    GiveUp,
    HandedOver,
    LookAgain,
    Park,
    SettleStep,
    Watch,
    Word,
    settle_step,
)
from shared.domain.publishing.retry_limits import DELETES
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, PressroomError
from shared.models import Handover, Post
from shared.postiz.client import RemotePost
from shared.posts import transitions
from worker.accounts import leases, rate_limiter, remote_delete, remote_posts
from worker.accounts.defects import for_account
from worker.accounts.eligibility import accounts_with
from worker.accounts.error_policy import MAX_ATTEMPTS
from worker.publishing import park
from worker.publishing.track import UNKNOWN
from worker.publishing.track import apply as apply_tracking
from worker.runtime import Runtime

TURN = 1.0


@for_account("settle")
def settle(runtime: Runtime, account_id: int) -> None:
    """Look at every release of this account whose end is not known yet, and settle what can be."""
    subjects = remote_posts.claim(runtime, account_id, _is_due(), lease_column="lease_until")
    turn = remote_delete.Turn(ends=time.monotonic() + TURN)
    to_park = []
    for one, remote in remote_posts.read(runtime, account_id, subjects, ends=turn.ends):
        with remote_posts.apart(runtime, "settle", one):
            if isinstance(_apply(runtime, one, remote, turn), Park):
                to_park.append(one)
    park.park(runtime, account_id, to_park, ends=turn.ends)


def due(session: Session) -> Sequence[int]:
    """The accounts with releases to look at."""
    return session.scalars(accounts_with(*_is_due())).all()


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return Post.state == PostState.RELEASING, Post.lease_until <= func.now()


def _apply(
    runtime: Runtime, one: remote_posts.Subject, remote: RemotePost | None, turn: remote_delete.Turn
) -> SettleStep | None:
    """Do what is to be done; None when somebody else has claimed the post in the meantime."""
    try:
        with runtime.database.transaction() as session:
            now = rate_limiter.clock(session)
            step = _step(runtime, one, remote, now)
            _write(session, one, step, now)
        failpoints.hit("settle.after_commit")
        if isinstance(step, Delete):
            _delete(runtime, one, turn)
    except ClaimLost:
        return None
    metrics.SETTLE_STEPS.labels(type(step).__name__).inc()
    if isinstance(step, HandedOver) and remote is not None:
        apply_tracking(runtime, replace(one, state=PostState.SCHEDULED), remote)
    return step


def _step(
    runtime: Runtime, one: remote_posts.Subject, remote: RemotePost | None, now: datetime
) -> SettleStep:
    return settle_step(
        remote.state if remote else None,
        handover=one.handover_state,
        in_2099=remote is not None and park.is_far(remote.publish_at),
        age=now - (one.word_at or one.released_at),
        word=_word_of(one),
        unknown_after=timedelta(seconds=runtime.settings.unknown_release_seconds),
        give_up_after=timedelta(seconds=runtime.settings.outcome_unknown_seconds),
    )


def _word_of(one: remote_posts.Subject) -> Word | None:
    """By when the look began: what showed itself after it was not seen."""
    if one.word_at is None:
        return None
    since = one.watched_from
    return Word(watched=None if since is None else one.claimed_at - since)


def _write(session: Session, one: remote_posts.Subject, step: SettleStep, now: datetime) -> None:
    match step:
        case HandedOver():
            _handed_over(session, one, now)
        case LookAgain(after=pause):
            remote_posts.look_again(session, [one], pause)
        case Watch(after=pause):
            _watch(session, one, one.watched_from or now)
            remote_posts.look_again(session, [one], pause)
        case Bury():
            _bury(session, one, "gone after our delete", discard=True)
        case GiveUp():
            _leave_to_a_person(session, one, "Postiz never said what became of the release.")
        case Park():
            _watch(session, one, None)
        case Delete():
            pass  # one by one, as parking is by one call for all: outside of this transaction


def _watch(session: Session, one: remote_posts.Subject, since: datetime | None) -> None:
    if one.watched_from != since:
        row = update(Handover).where(Handover.id == one.handover_id)
        session.execute(row.values(watched_from=since))


def _leave_to_a_person(session: Session, one: remote_posts.Subject, words: str) -> None:
    """It may be live, and is followed for a while."""
    transitions.fail(
        session,
        [one.post_id],
        PostState.RELEASING,
        code="outcome_unknown",
        message=words,
        hint=UNKNOWN,
        claim=one.claim,
        track_at=leases.now_plus(60),
    )


def _handed_over(session: Session, one: remote_posts.Subject, now: datetime) -> None:
    transitions.move(
        session,
        [one.post_id],
        PostState.RELEASING,
        PostState.SCHEDULED,
        event="scheduled",
        claim=one.claim,
        values={
            "attempts": 0,
            "track_at": max(now, one.publish_at) + timedelta(seconds=1),
            **transitions.NO_ERROR,
        },
    )


def _note_delete(session: Session, one: remote_posts.Subject) -> None:
    """Note that the delete will be sent, if the claim is still ours."""
    ours = Post.id == one.post_id, Post.claim == one.claim, Post.state == PostState.RELEASING
    held = session.query(Post.id).where(*ours).with_for_update(key_share=True).first()
    if held is None:
        raise ClaimLost(f"post {one.post_id} is no longer ours to settle")
    remote_delete.note_try(session, one.handover_id)


def _delete(runtime: Runtime, one: remote_posts.Subject, turn: remote_delete.Turn) -> None:
    """Delete a parked draft; an unclear end is looked at again."""
    made = False
    try:
        if not turn.is_over:
            made = remote_delete.delete(
                runtime, remote_posts.target(one), note=lambda session: _note_delete(session, one)
            )
    except PressroomError as error:
        if isinstance(error, ClaimLost):
            raise
        _not_deleted(runtime, one, turn, error)
        return
    with runtime.database.transaction() as session:
        if made:
            turn.failed = 0
            _bury(session, one, "deleted by us after parking")
        else:
            remote_posts.look_again(session, [one], timedelta(seconds=1))
    failpoints.hit("delete.after_commit")
    if made:
        runtime.waker.stage(one.account_id)


def _not_deleted(
    runtime: Runtime, one: remote_posts.Subject, turn: remote_delete.Turn, error: PressroomError
) -> None:
    """Look again, and try again later and later; told once at its beginning and once at its end."""
    with runtime.database.transaction() as session:
        remote_delete.went_wrong(session, turn, remote_posts.target(one), error)
        tries = remote_delete.tries_after(session, one.handover_id, error)
        pause = DELETES.pause(tries)
        if pause is None:
            _leave_in_2099(session, one, error.message)
            return
        if tries == 1:
            transitions.add_events(session, [one.post_id], "delete_unknown", error.message)
        remote_posts.look_again(session, [one], pause)


def _leave_in_2099(session: Session, one: remote_posts.Subject, words: str) -> None:
    """It was seen there as a draft, so it is not published; its id is dead, and left to litter.

    It is not staged anew by itself: a person who finds the draft might publish it by hand. A retry
    needs no word that it is not live, unless it was only on somebody's word that it was parked.
    """
    if one.word_at is not None:
        _leave_to_a_person(session, one, f"Postiz does not delete it ({words}).")
        return
    transitions.bury(session, [one.post_id], "parked, and not to be deleted", discard=True)
    transitions.fail(
        session,
        [one.post_id],
        PostState.RELEASING,
        code="draft_left_in_postiz",
        message="It is not published: its release came to nothing, and Postiz does not delete the "
        f"draft of it, which was moved to 2099 ({words}).",
        hint="Retry it; and delete that draft in Postiz's calendar.",
        claim=one.claim,
    )


def _bury(session: Session, one: remote_posts.Subject, why: str, *, discard: bool = False) -> None:
    """The id is dead, and the post free to be staged anew: one transaction."""
    transitions.bury(session, [one.post_id], why, discard=discard)
    if one.attempts >= MAX_ATTEMPTS:
        transitions.fail(
            session,
            [one.post_id],
            PostState.RELEASING,
            code="too_many_attempts",
            message=f"given up after {MAX_ATTEMPTS} attempts to release it; it is not published",
            hint="Look at Postiz's health, then retry it.",
            claim=one.claim,
        )
        return
    transitions.move(
        session,
        [one.post_id],
        PostState.RELEASING,
        PostState.PENDING,
        event="release_undone",
        detail=why,
        claim=one.claim,
        values={**transitions.NOT_IN_POSTIZ, **transitions.NO_ERROR},
    )
