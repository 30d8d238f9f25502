"""Cancel: delete in Postiz what the user took back, and make sure that it is gone."""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from shared import posts
from shared.domain.settling import (
    DELETING,
    Cancelled,
    Delete,
    Failed,
    TooLate,
    cancel_step,
)
from shared.domain.states import PostState
from shared.errors import ClaimLost, PressroomError
from shared.models import Handover, Post
from shared.postiz import RemotePost
from worker import deleting, look
from worker.runtime import Runtime
from worker.track import VANISHED

TURN = 1.0


def cancel(runtime: Runtime, account_id: int) -> None:
    """Look at every post of this account that is being taken back, and do the next step."""
    with runtime.database.transaction() as session:
        _nothing_there(session, account_id)
    due = [Post.state == PostState.CANCELLING, Post.lease_until <= func.now()]
    subjects = look.claim(runtime, account_id, due, lease_column="lease_until")
    ends = time.monotonic() + TURN
    for one, remote in look.read(runtime, account_id, subjects, ends=ends):
        try:
            _apply(runtime, one, remote)
        except ClaimLost:
            continue  # somebody else settles it


def _nothing_there(session: Session, account_id: int) -> None:
    """Posts without an id in Postiz: what an unclear call may have left are drafts, and litter."""
    alive = exists().where(Handover.post_id == Post.id, Handover.buried_at.is_(None))
    ids = session.scalars(
        select(Post.id)
        .where(
            Post.account_id == account_id,
            Post.state == PostState.CANCELLING,
            Post.lease_until <= func.now(),
            ~alive,
        )
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    posts.move(session, ids, PostState.CANCELLING, PostState.CANCELLED, event="cancelled")


def _apply(runtime: Runtime, one: look.Subject, remote: RemotePost | None) -> None:
    date = remote.publish_at if remote else one.publish_at
    step = cancel_step(
        remote.state if remote else None,
        released=one.was_released,
        deleting=one.handover_state == DELETING,
        left=date - datetime.now(UTC) - look.clock_error(runtime, one),
    )
    match step:
        case Cancelled():
            _cancelled(runtime, one)
        case Delete():
            _delete(runtime, one)
        case TooLate():
            _too_late(runtime, one)
        case Failed(code=code):
            reason = VANISHED[code]
            with runtime.database.transaction() as session:
                posts.fail(
                    session,
                    [one.post_id],
                    PostState.CANCELLING,
                    code=reason.code,
                    message=reason.message,
                    hint=reason.hint,
                    claim=one.claim,
                )


def _cancelled(runtime: Runtime, one: look.Subject) -> None:
    with runtime.database.transaction() as session:
        posts.bury(session, [one.post_id], "cancelled")
        posts.move(
            session,
            [one.post_id],
            PostState.CANCELLING,
            PostState.CANCELLED,
            event="cancelled",
            claim=one.claim,
        )


def _too_late(runtime: Runtime, one: look.Subject) -> None:
    """It goes on to be published, and is followed."""
    with runtime.database.transaction() as session:
        posts.move(
            session,
            [one.post_id],
            PostState.CANCELLING,
            PostState.SCHEDULED,
            event="too_late_to_cancel",
            claim=one.claim,
            values={"track_at": func.now()},
        )


def _delete(runtime: Runtime, one: look.Subject) -> None:
    """Send the delete, noted before; the next look says whether it is gone."""

    def note(session: Session) -> None:
        noted = update(Handover).where(Handover.id == one.handover_id)
        session.execute(noted.values(state=DELETING))

    pause, trouble = timedelta(0), None
    try:
        if not deleting.delete(runtime, look.target(one), note=note):
            pause = timedelta(seconds=1)
    except PressroomError as error:
        pause, trouble = timedelta(seconds=2), error.message
    with runtime.database.transaction() as session:
        if trouble is not None:
            posts.add_events(session, [one.post_id], "delete_unknown", trouble)
        look.look_again(session, [one], pause)
