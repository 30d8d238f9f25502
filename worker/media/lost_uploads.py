"""Lost uploads: those whose worker is gone are tried again, and ended after too many attempts."""

from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.models import AccountMedia
from shared.posts import transitions
from worker.accounts.error_policy import MAX_ATTEMPTS
from worker.media import upload

#: In one round; the next one goes on.
AT_ONCE = 100
_WORDS = f"given up after {MAX_ATTEMPTS} attempts"


def requeue_lost(session: Session) -> None:
    """An upload whose worker is gone is tried again; a second copy in Postiz is only litter."""
    lost = (
        select(AccountMedia.id)
        .where(AccountMedia.state == "uploading", AccountMedia.lease_until < func.now())
        .limit(AT_ONCE)
        .with_for_update(key_share=True, skip_locked=True)
    )
    requeue_update = update(AccountMedia).where(AccountMedia.id.in_(lost))
    session.execute(
        requeue_update.values(state="pending", lease_until=None),
        execution_options={"synchronize_session": False},
    )


def give_up_exhausted(session: Session) -> None:
    """End those that so many workers did not survive, and the posts that wait for them."""
    exhausted = session.scalars(
        select(AccountMedia)
        .where(AccountMedia.state == "pending", AccountMedia.attempts >= MAX_ATTEMPTS + 1)
        .where(AccountMedia.next_at <= func.now())
        .order_by(AccountMedia.next_at)
        .limit(AT_ONCE)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    for row in exhausted:
        _fail_or_postpone(session, row)


def _fail_or_postpone(session: Session, row: AccountMedia) -> None:
    """Once nobody holds any of the posts that wait for it: all of them end with it."""
    if transitions.locked_by_others(
        session, *upload.waiting_posts_condition(row.account_id, row.media_id)
    ):
        row.next_at = func.now() + timedelta(seconds=2)  # those behind it have their turn first
        return
    row.state, row.error_code, row.error_message = "failed", "too_many_attempts", _WORDS
    session.flush()
    upload.fail_waiting_posts(session, row.account_id, row.media_id, _WORDS)
