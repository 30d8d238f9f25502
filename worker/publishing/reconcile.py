"""Reconcile: finds the outcome of a release by reading Postiz; a release is never sent twice.

If a post is still a draft long after its status change must have arrived, it is parked, deleted and
staged again. Each step is committed before the next one, so that a worker may die after any step.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Select, func, update
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
    UserReport,
    Watch,
    reconcile_step,
)
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, PressroomError
from shared.models import Handover, Post
from shared.postiz.client import RemotePost
from shared.posts import transitions
from worker.accounts import rate_limiter, remote_delete, remote_posts
from worker.accounts.defects import for_account
from worker.accounts.eligibility import eligible_accounts_query
from worker.accounts.error_policy import MAX_ATTEMPTS
from worker.publishing import park, unknown_outcomes, usual_outcomes
from worker.publishing.track import track_group, track_post
from worker.runtime import Runtime

SLICE_SECONDS = 1.0


@for_account("settle")
def settle(runtime: Runtime, account_id: int) -> None:
    """Read each release of this account with an unknown outcome, and do its next step."""
    subjects = remote_posts.claim_subjects(
        runtime, account_id, _is_due(), lease_column="lease_until"
    )
    delete_slice = remote_delete.DeleteSlice(ends=time.monotonic() + SLICE_SECONDS)
    to_park = []
    for group in remote_posts.read_groups(runtime, account_id, subjects, ends=delete_slice.ends):
        taken, others = usual_outcomes.record_reconciled(
            runtime, group, partial(_choose_step, runtime)
        )
        track_group(runtime, taken)
        for subject, remote in others:
            with remote_posts.isolate_post(runtime, "settle", subject):
                if isinstance(_perform_next_step(runtime, subject, remote, delete_slice), Park):
                    to_park.append(subject)
    park.park_drafts(runtime, account_id, to_park, ends=delete_slice.ends)


def find_due_accounts(session: Session) -> Sequence[int]:
    """Accounts with releases to reconcile."""
    return session.scalars(due_accounts_query()).all()


def due_accounts_query() -> Select[int]:
    return eligible_accounts_query(*_is_due())


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return Post.state == PostState.RELEASING, Post.lease_until <= func.now()


def _perform_next_step(
    runtime: Runtime,
    subject: remote_posts.Subject,
    remote: RemotePost | None,
    delete_slice: remote_delete.DeleteSlice,
) -> SettleStep | None:
    """Do the next step and return it; None if another worker has claimed the post."""
    try:
        with runtime.database.transaction() as session:
            now = rate_limiter.clock(session)
            step = _choose_step(runtime, subject, remote, now)
            _record_step(session, subject, step, now)
        failpoints.hit("settle.after_commit")
        if isinstance(step, Delete):
            _delete_parked_draft(runtime, subject, delete_slice)
    except ClaimLost:
        return None
    metrics.SETTLE_STEPS.labels(type(step).__name__).inc()
    if isinstance(step, HandedOver) and remote is not None:
        track_post(runtime, usual_outcomes.as_scheduled(subject), remote)
    return step


def _choose_step(
    runtime: Runtime, subject: remote_posts.Subject, remote: RemotePost | None, now: datetime
) -> SettleStep:
    return reconcile_step(
        remote.state if remote else None,
        handover=subject.handover_state,
        in_2099=remote is not None and park.is_parking_date(remote.publish_at),
        age=now - (subject.word_at or subject.released_at),
        report=_user_report_of(subject),
        unknown_after=timedelta(seconds=runtime.settings.unknown_release_seconds),
        give_up_after=timedelta(seconds=runtime.settings.outcome_unknown_seconds),
    )


def _user_report_of(subject: remote_posts.Subject) -> UserReport | None:
    """The person's report; the watched time ends when the read began: nothing later was seen."""
    if subject.word_at is None:
        return None
    since = subject.watched_from
    return UserReport(watched=None if since is None else subject.claimed_at - since)


def _record_step(
    session: Session, subject: remote_posts.Subject, step: SettleStep, now: datetime
) -> None:
    match step:
        case HandedOver():
            usual_outcomes.mark_scheduled(session, [subject], now)
        case LookAgain(after=pause):
            remote_posts.requeue_subjects(session, [subject], pause)
        case Watch(after=pause):
            _set_watched_from(session, subject, subject.watched_from or now)
            remote_posts.requeue_subjects(session, [subject], pause)
        case Bury():
            _retire_and_requeue(session, subject, "gone after our delete", discard=True)
        case GiveUp():
            _mark_outcome_unknown(session, subject, "Postiz never said what became of the release.")
        case Park():
            _set_watched_from(session, subject, None)
        case Delete():
            pass  # done later, outside of this transaction: each delete is a call


def _set_watched_from(
    session: Session, subject: remote_posts.Subject, since: datetime | None
) -> None:
    if subject.watched_from != since:
        handover_update = update(Handover).where(Handover.id == subject.handover_id)
        session.execute(handover_update.values(watched_from=since))


def _mark_outcome_unknown(session: Session, subject: remote_posts.Subject, reason: str) -> None:
    """The post may be live, and is tracked for a while."""
    unknown_outcomes.leave_to_person(
        session, [subject.post_id], PostState.RELEASING, reason, claim=subject.claim, follow=True
    )


def _note_delete(session: Session, subject: remote_posts.Subject) -> None:
    """Record that the delete will be sent. Raises `ClaimLost` if the claim is no longer ours."""
    ours = (
        Post.id == subject.post_id,
        Post.claim == subject.claim,
        Post.state == PostState.RELEASING,
    )
    claimed_row = session.query(Post.id).where(*ours).with_for_update(key_share=True).first()
    if claimed_row is None:
        raise ClaimLost(f"post {subject.post_id} is no longer ours to settle")
    remote_delete.note_try(session, subject.handover_id)


def _delete_parked_draft(
    runtime: Runtime, subject: remote_posts.Subject, delete_slice: remote_delete.DeleteSlice
) -> None:
    """Delete a parked draft; if the outcome is unknown, the draft is read again later."""
    try:
        made = remote_delete.delete_post(
            runtime,
            subject.credentials,
            subject.postiz_id,
            delete_slice,
            note=lambda session: _note_delete(session, subject),
        )
    except ClaimLost:
        raise
    except PressroomError as error:
        remote_delete.retry_or_give_up(runtime, delete_slice, subject, error, _give_up_delete)
        return
    with runtime.database.transaction() as session:
        if made:
            _retire_and_requeue(session, subject, "deleted by us after parking")
        else:
            remote_posts.requeue_subjects(session, [subject], timedelta(seconds=1))
    failpoints.hit("delete.after_commit")
    if made:
        runtime.waker.stage(subject.credentials.account_id)


def _give_up_delete(session: Session, subject: remote_posts.Subject, reason: str) -> None:
    """The post was seen as a draft, so it is not published; its id is retired and deleted later.

    It is not staged again automatically: a person who finds the draft might publish it by hand. A
    retry needs no confirmation that it is not live, unless it was parked only because a person said
    that it was not published.
    """
    if subject.word_at is not None:
        _mark_outcome_unknown(session, subject, f"Postiz does not delete it ({reason}).")
        return
    transitions.retire_handovers(
        session, [subject.post_id], "parked, and not to be deleted", discard=True
    )
    transitions.fail_posts(
        session,
        [subject.post_id],
        PostState.RELEASING,
        code="draft_left_in_postiz",
        message="It is not published: its release came to nothing, and Postiz does not delete the "
        f"draft of it, which was moved to 2099 ({reason}).",
        hint="Retry it; and delete that draft in Postiz's calendar.",
        claim=subject.claim,
    )


def _retire_and_requeue(
    session: Session, subject: remote_posts.Subject, why: str, *, discard: bool = False
) -> None:
    """Retire the id and make the post pending again, or fail it after too many attempts."""
    transitions.retire_handovers(session, [subject.post_id], why, discard=discard)
    if subject.attempts >= MAX_ATTEMPTS:
        transitions.fail_posts(
            session,
            [subject.post_id],
            PostState.RELEASING,
            code="too_many_attempts",
            message=f"given up after {MAX_ATTEMPTS} attempts to release it; it is not published",
            hint="Look at Postiz's health, then retry it.",
            claim=subject.claim,
        )
        return
    transitions.move_posts(
        session,
        [subject.post_id],
        PostState.RELEASING,
        PostState.PENDING,
        event="release_undone",
        detail=why,
        claim=subject.claim,
        values={**transitions.NOT_IN_POSTIZ, **transitions.NO_ERROR},
    )
