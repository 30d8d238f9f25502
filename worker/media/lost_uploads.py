"""Lost uploads: uploads whose worker died are tried again, and fail after too many attempts."""

from datetime import timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from shared.models import AccountMedia
from shared.posts import transitions
from worker.accounts.error_policy import MAX_ATTEMPTS
from worker.media import upload

#: Uploads in one round; the next round continues.
BATCH = 100
_MESSAGE = f"given up after {MAX_ATTEMPTS} attempts"


def is_lost() -> tuple[ColumnElement[bool], ...]:
    """Uploads whose worker died."""
    return AccountMedia.state == "uploading", AccountMedia.lease_until < func.now()


def is_exhausted() -> tuple[ColumnElement[bool], ...]:
    """Uploads that were lost too often."""
    return (
        AccountMedia.state == "pending",
        AccountMedia.attempts >= MAX_ATTEMPTS + 1,
        AccountMedia.next_at <= func.now(),
    )


def requeue_lost(session: Session) -> None:
    """Make uploads pending again whose worker died; a second copy in Postiz does no harm."""
    lost = (
        select(AccountMedia.id)
        .where(*is_lost())
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    )
    requeue_update = update(AccountMedia).where(AccountMedia.id.in_(lost))
    session.execute(
        requeue_update.values(state="pending", lease_until=None),
        execution_options={"synchronize_session": False},
    )


def give_up_exhausted(session: Session) -> None:
    """Fail uploads that were lost too often, and the posts that wait for them."""
    exhausted = session.scalars(
        select(AccountMedia)
        .where(*is_exhausted())
        .order_by(AccountMedia.next_at)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    for row in exhausted:
        _fail_or_postpone(session, row)


def _fail_or_postpone(session: Session, row: AccountMedia) -> None:
    """Fail the upload together with all posts that wait for it, unless one of them is locked."""
    if transitions.locked_by_others(
        session, *upload.waiting_posts_condition(row.account_id, row.media_id)
    ):
        row.next_at = func.now() + timedelta(seconds=2)  # other uploads go first
        return
    row.state, row.error_code, row.error_message = "failed", "too_many_attempts", _MESSAGE
    session.flush()
    upload.fail_waiting_posts(session, row.account_id, row.media_id, _MESSAGE)
