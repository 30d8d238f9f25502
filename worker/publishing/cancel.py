"""Cancel: deletes cancelled and rescheduled posts in Postiz, and checks that they are gone."""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Select, exists, func, select, update
from sqlalchemy.orm import Session

from shared.accounts import channel_states
from shared.domain.networks.failure_reasons import Reason
from shared.domain.publishing.reconciliation import (
    CANCELLED_LATE,
    DELETED,
    DELETING,
    DRAFT,
    Cancelled,
    Delete,
    Failed,
    TooLate,
    cancel_step,
)
from shared.domain.publishing.retry_limits import DELETES
from shared.domain.publishing.states import PostState
from shared.errors import PressroomError
from shared.models import Handover, Post
from shared.postiz.client import RemotePost
from shared.posts import cancel_retry, edits, handovers, transitions
from worker.accounts import rate_limiter, remote_delete, remote_posts
from worker.accounts.defects import for_account
from worker.accounts.eligibility import eligible_accounts_query
from worker.accounts.error_policy import is_about_single_id
from worker.publishing import refused_posts
from worker.publishing.track import REASONS
from worker.publishing.unreachable_posts import TAKEN_BACK
from worker.runtime import Runtime

SLICE_SECONDS = 1.0
_LATE_ERROR = {
    "error_code": CANCELLED_LATE,
    "error_message": "It was deleted in Postiz after its time: it may have been sent before.",
    "error_hint": "Look at the channel, and take it down there if need be.",
}


@for_account("cancel")
def cancel(runtime: Runtime, account_id: int) -> None:
    """Do the next step for each post of this account that is being taken out of Postiz."""
    with runtime.database.transaction() as session:
        _cancel_without_remote_id(session, account_id)
    subjects = remote_posts.claim_subjects(
        runtime, account_id, _is_due(), lease_column="lease_until"
    )
    delete_slice = remote_delete.DeleteSlice(ends=time.monotonic() + SLICE_SECONDS)
    for subject, remote in remote_posts.read_posts(
        runtime, account_id, subjects, ends=delete_slice.ends
    ):
        with remote_posts.isolate_post(runtime, "cancel", subject):
            _perform_next_step(runtime, subject, remote, delete_slice)


def find_due_accounts(session: Session) -> set[int]:
    """Accounts with posts to cancel; a post without an id in Postiz needs no key."""
    return {account_id for query in due_accounts_queries() for account_id in session.scalars(query)}


def due_accounts_queries() -> list[Select[int]]:
    no_id = select(Post.account_id).where(*_is_due(), _has_no_remote_id()).distinct()
    return [eligible_accounts_query(*_is_due()), no_id]


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return Post.state.in_(TAKEN_BACK), Post.lease_until <= func.now()


def _has_no_remote_id() -> ColumnElement[bool]:
    return ~exists().where(handovers.is_alive_of_post())


def _cancel_without_remote_id(session: Session, account_id: int) -> None:
    """Posts without an id in Postiz; drafts of calls of unknown outcome are deleted as orphans."""
    ids = session.scalars(
        select(Post.id)
        .where(Post.account_id == account_id, *_is_due(), _has_no_remote_id())
        .where(Post.state == PostState.CANCELLING)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    transitions.move_posts(
        session, ids, PostState.CANCELLING, PostState.CANCELLED, event="cancelled"
    )


def _perform_next_step(
    runtime: Runtime,
    subject: remote_posts.Subject,
    remote: RemotePost | None,
    delete_slice: remote_delete.DeleteSlice,
) -> None:
    if _was_scheduled_by_hand(subject, remote):
        _return_to_scheduled(runtime, subject)
        return
    due_at = remote_posts.due_at(subject, remote)
    with runtime.database.transaction() as session:
        late = rate_limiter.clock(session) - due_at  # the database's clock, as for overdue posts
    step = cancel_step(
        remote.state if remote else None,
        released=subject.was_released,
        handover=subject.handover_state,
        left=due_at - datetime.now(UTC) - remote_posts.clock_error(runtime, subject),
        overdue=late >= timedelta(seconds=runtime.settings.overdue_seconds),
        refused=refused_posts.was_refused(subject),
    )
    match step:
        case Cancelled(may_be_live=False) if subject.state is PostState.RESCHEDULING:
            _finish_taking_back(runtime, subject)
        case Cancelled(may_be_live=may_be_live):
            _mark_cancelled(runtime, subject, may_be_live=may_be_live)
        case Delete():
            _delete_remote_post(runtime, subject, delete_slice, listed=remote is not None)
        case TooLate():
            _return_to_scheduled(runtime, subject)
        case Failed(code=code):
            _mark_failed(runtime, subject, REASONS[code])


def _mark_failed(runtime: Runtime, subject: remote_posts.Subject, reason: Reason) -> None:
    with runtime.database.transaction() as session:
        transitions.fail_posts(
            session,
            [subject.post_id],
            subject.state,
            code=reason.code,
            message=reason.message,
            hint=reason.hint,
            claim=subject.claim,
        )


def _was_scheduled_by_hand(subject: remote_posts.Subject, remote: RemotePost | None) -> bool:
    """A draft that was to be edited, and that somebody has scheduled in Postiz meanwhile."""
    is_edited = subject.state is PostState.RESCHEDULING and not subject.was_released
    return is_edited and remote is not None and remote.state != DRAFT


def _finish_taking_back(runtime: Runtime, subject: remote_posts.Subject) -> None:
    with runtime.database.transaction() as session:
        _hand_over_anew(session, subject, "taken_back")
    runtime.waker.stage(subject.credentials.account_id)


def _hand_over_anew(
    session: Session,
    subject: remote_posts.Subject,
    event: str,
    detail: str | None = None,
    *,
    left_in_postiz: bool = False,
) -> None:
    """The old values are not published any more: the edit takes effect.

    `left_in_postiz`: as a draft, which never publishes.
    """
    ids = [subject.post_id]
    transitions.retire_handovers(session, ids, "edited", discard=left_in_postiz)
    transitions.move_posts(
        session,
        ids,
        PostState.RESCHEDULING,
        PostState.PENDING,
        event=event,
        detail=detail,
        claim=subject.claim,
        values=transitions.NOT_IN_POSTIZ,
    )
    edits.apply_edits(session, ids)
    channel_states.hold_back(session, Post.id.in_(ids))


def _mark_cancelled(runtime: Runtime, subject: remote_posts.Subject, *, may_be_live: bool) -> None:
    """The post is gone from Postiz; one that was deleted after its time gets an error text."""
    is_cancelled = subject.state is PostState.CANCELLING
    with runtime.database.transaction() as session:
        transitions.retire_handovers(session, [subject.post_id], "cancelled")
        transitions.move_posts(
            session,
            [subject.post_id],
            subject.state,
            PostState.CANCELLED if is_cancelled else PostState.FAILED,
            event="cancelled" if is_cancelled else "failed",
            detail=_LATE_ERROR["error_message"] if may_be_live else None,
            claim=subject.claim,
            values=_LATE_ERROR if may_be_live else {},
        )


def _return_to_scheduled(runtime: Runtime, subject: remote_posts.Subject) -> None:
    """The post will be published as it is, and is tracked."""
    is_cancelled = subject.state is PostState.CANCELLING
    with runtime.database.transaction() as session:
        transitions.drop_edits(
            session, [subject.post_id], "Postiz is about to publish it as it was"
        )
        transitions.move_posts(
            session,
            [subject.post_id],
            subject.state,
            PostState.SCHEDULED,
            event=cancel_retry.TOO_LATE_TO_CANCEL if is_cancelled else edits.TOO_LATE,
            claim=subject.claim,
            values={"track_at": func.now()},
        )


def _delete_remote_post(
    runtime: Runtime,
    subject: remote_posts.Subject,
    delete_slice: remote_delete.DeleteSlice,
    *,
    listed: bool,
) -> None:
    """Record and send the delete; the next read shows whether the post is gone.

    Postiz answers a second delete as it answers one of an unknown id. So if it does not list the
    post either, an earlier delete has succeeded.
    """
    began = subject.handover_state in (DELETING, DELETED)
    if began and DELETES.pause(subject.tries) is None:
        with runtime.database.transaction() as session:
            _give_up_delete(session, subject, "it is still there after each delete")
        return
    try:
        made = remote_delete.delete_post(
            runtime,
            subject.credentials,
            subject.postiz_id,
            delete_slice,
            note=lambda session: remote_delete.note_try(session, subject.handover_id),
        )
    except PressroomError as error:
        if listed or not is_about_single_id(error):
            remote_delete.retry_or_give_up(runtime, delete_slice, subject, error, _give_up_delete)
            return
        made, delete_slice.failed = True, 0
    next_pause = began and DELETES.pause(subject.tries + 1)
    with runtime.database.transaction() as session:
        if made:
            handover_update = update(Handover).where(Handover.id == subject.handover_id)
            session.execute(handover_update.values(state=DELETED))
            remote_posts.requeue_subjects(session, [subject], next_pause or timedelta(0))
        else:
            remote_posts.requeue_subjects(session, [subject], timedelta(seconds=1))


def _give_up_delete(session: Session, subject: remote_posts.Subject, reason: str) -> None:
    """A post that was never released stays a draft; a released one will be published."""
    if subject.was_released:
        values = {
            "track_at": func.now(),
            "error_code": cancel_retry.NOT_CANCELLED,
            "error_message": f"Postiz does not delete it ({reason}): it goes on to be published.",
            "error_hint": "Delete it in Postiz, or cancel it again.",
        }
        to = PostState.SCHEDULED
        handover_update = update(Handover).where(Handover.id == subject.handover_id)
        session.execute(handover_update.values(tries=0))
        transitions.drop_edits(session, [subject.post_id], f"Postiz does not delete it: {reason}")
    elif subject.state is PostState.RESCHEDULING:
        _hand_over_anew(session, subject, "draft_left_in_postiz", reason, left_in_postiz=True)
        return
    else:
        values = {
            "error_code": "draft_left_in_postiz",
            "error_message": "It never publishes, but Postiz does not delete its draft "
            f"({reason}).",
            "error_hint": "Delete the draft in Postiz's calendar.",
        }
        to = PostState.CANCELLED
        transitions.retire_handovers(
            session, [subject.post_id], "cancelled, and not to be deleted", discard=True
        )
    transitions.move_posts(
        session,
        [subject.post_id],
        subject.state,
        to,
        event=cancel_retry.NOT_CANCELLED if subject.was_released else "cancelled",
        detail=reason,
        claim=subject.claim,
        values=values,
    )
