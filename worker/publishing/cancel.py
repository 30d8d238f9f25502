"""Cancel: delete in Postiz what the user took back, and make sure that it is gone."""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.orm import Session

from shared.domain.publishing.reconciliation import (
    CANCELLED_LATE,
    DELETED,
    DELETING,
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
from shared.posts import transitions
from worker.accounts import rate_limiter, remote_delete, remote_posts
from worker.accounts.defects import for_account
from worker.accounts.eligibility import accounts_with
from worker.accounts.error_policy import is_about_one
from worker.publishing.track import WORDS
from worker.runtime import Runtime

TURN = 1.0
_LATE = {
    "error_code": CANCELLED_LATE,
    "error_message": "It was deleted in Postiz after its time: it may have been sent before.",
    "error_hint": "Look at the channel, and take it down there if need be.",
}


@for_account("cancel")
def cancel(runtime: Runtime, account_id: int) -> None:
    """Look at every post of this account that is being taken back, and do the next step."""
    with runtime.database.transaction() as session:
        _nothing_there(session, account_id)
    subjects = remote_posts.claim(runtime, account_id, _is_due(), lease_column="lease_until")
    turn = remote_delete.Turn(ends=time.monotonic() + TURN)
    for one, remote in remote_posts.read(runtime, account_id, subjects, ends=turn.ends):
        with remote_posts.apart(runtime, "cancel", one):
            _apply(runtime, one, remote, turn)


def due(session: Session) -> set[int]:
    """The accounts with posts to take back; what has no id in Postiz needs no key."""
    no_id = select(Post.account_id).where(*_is_due(), _has_no_id()).distinct()
    return {*session.scalars(accounts_with(*_is_due())), *session.scalars(no_id)}


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return Post.state == PostState.CANCELLING, Post.lease_until <= func.now()


def _has_no_id() -> ColumnElement[bool]:
    return ~exists().where(Handover.post_id == Post.id, Handover.buried_at.is_(None))


def _nothing_there(session: Session, account_id: int) -> None:
    """Posts without an id in Postiz: what an unclear call may have left are drafts, and litter."""
    ids = session.scalars(
        select(Post.id)
        .where(Post.account_id == account_id, *_is_due(), _has_no_id())
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    transitions.move(session, ids, PostState.CANCELLING, PostState.CANCELLED, event="cancelled")


def _apply(
    runtime: Runtime, one: remote_posts.Subject, remote: RemotePost | None, turn: remote_delete.Turn
) -> None:
    due_at = remote_posts.due_at(one, remote)
    with runtime.database.transaction() as session:
        late = rate_limiter.clock(session) - due_at  # by the clock that calls posts overdue
    step = cancel_step(
        remote.state if remote else None,
        released=one.was_released,
        handover=one.handover_state,
        left=due_at - datetime.now(UTC) - remote_posts.clock_error(runtime, one),
        overdue=late >= timedelta(seconds=runtime.settings.overdue_seconds),
    )
    match step:
        case Cancelled(may_be_live=may_be_live):
            _cancelled(runtime, one, may_be_live=may_be_live)
        case Delete():
            _delete(runtime, one, turn, listed=remote is not None)
        case TooLate():
            _too_late(runtime, one)
        case Failed(code=code):
            reason = WORDS[code]
            with runtime.database.transaction() as session:
                transitions.fail(
                    session,
                    [one.post_id],
                    PostState.CANCELLING,
                    code=reason.code,
                    message=reason.message,
                    hint=reason.hint,
                    claim=one.claim,
                )


def _cancelled(runtime: Runtime, one: remote_posts.Subject, *, may_be_live: bool) -> None:
    """It is gone from Postiz; what was deleted after its time says so."""
    with runtime.database.transaction() as session:
        transitions.bury(session, [one.post_id], "cancelled")
        transitions.move(
            session,
            [one.post_id],
            PostState.CANCELLING,
            PostState.CANCELLED,
            event="cancelled",
            detail=_LATE["error_message"] if may_be_live else None,
            claim=one.claim,
            values=_LATE if may_be_live else {},
        )


def _too_late(runtime: Runtime, one: remote_posts.Subject) -> None:
    """It goes on to be published, and is followed."""
    with runtime.database.transaction() as session:
        transitions.move(
            session,
            [one.post_id],
            PostState.CANCELLING,
            PostState.SCHEDULED,
            event="too_late_to_cancel",
            claim=one.claim,
            values={"track_at": func.now()},
        )


def _delete(
    runtime: Runtime, one: remote_posts.Subject, turn: remote_delete.Turn, *, listed: bool
) -> None:
    """Send the delete, noted before; the next look says whether it is gone.

    Postiz answers a second delete like that of an unknown id. So where it does not list the post
    either, the one before has deleted it.
    """
    began = one.handover_state in (DELETING, DELETED)
    if began and DELETES.pause(one.tries) is None:
        with runtime.database.transaction() as session:
            _give_up(session, one, "it is still there after each delete")
        return
    made = False
    try:
        if not turn.is_over:
            made = remote_delete.delete(
                runtime,
                remote_posts.target(one),
                note=lambda session: remote_delete.note_try(session, one.handover_id),
            )
    except PressroomError as error:
        if listed or not is_about_one(error):
            _not_deleted(runtime, one, turn, error)
            return
        made = True
    again = began and DELETES.pause(one.tries + 1)
    with runtime.database.transaction() as session:
        if made:
            turn.failed = 0
            gone = update(Handover).where(Handover.id == one.handover_id)
            session.execute(gone.values(state=DELETED))
            remote_posts.look_again(session, [one], again or timedelta(0))
        else:
            remote_posts.look_again(session, [one], timedelta(seconds=1))


def _not_deleted(
    runtime: Runtime, one: remote_posts.Subject, turn: remote_delete.Turn, error: PressroomError
) -> None:
    """Look again, and try again later and later; told once at its beginning and once at its end."""
    with runtime.database.transaction() as session:
        remote_delete.went_wrong(session, turn, remote_posts.target(one), error)
        tries = remote_delete.tries_after(session, one.handover_id, error)
        pause = DELETES.pause(tries)
        if pause is None:
            _give_up(session, one, error.message)
            return
        if tries == 1:
            transitions.add_events(session, [one.post_id], "delete_unknown", error.message)
        remote_posts.look_again(session, [one], pause)


def _give_up(session: Session, one: remote_posts.Subject, words: str) -> None:
    """What was never released stays a draft, and never publishes; what was goes on."""
    if one.was_released:
        values = {
            "track_at": func.now(),
            "error_code": "not_cancelled",
            "error_message": f"Postiz does not delete it ({words}): it goes on to be published.",
            "error_hint": "Delete it in Postiz, or cancel it again.",
        }
        to = PostState.SCHEDULED
        tried = update(Handover).where(Handover.id == one.handover_id)
        session.execute(tried.values(tries=0))
    else:
        values = {
            "error_code": "draft_left_in_postiz",
            "error_message": f"It never publishes, but Postiz does not delete its draft ({words}).",
            "error_hint": "Delete the draft in Postiz's calendar.",
        }
        to = PostState.CANCELLED
        transitions.bury(session, [one.post_id], "cancelled, and not to be deleted", discard=True)
    transitions.move(
        session,
        [one.post_id],
        PostState.CANCELLING,
        to,
        event="not_cancelled" if one.was_released else "cancelled",
        detail=words,
        claim=one.claim,
        values=values,
    )
