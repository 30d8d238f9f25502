"""Waits: posts are set aside while they wait for something outside of their own row.

A post may wait for the end of its job's pause, for the upload of a medium, or for a channel. The
worker that finds such a post sets it aside (worker/accounts/set_aside.py), which takes it out of
the indexes of due posts. The code that ends the pause, finishes the upload or saves the channel
also ends the wait.

A wait is only a hint. Whether a post may be sent is checked in the rows themselves, when it is
claimed and before the first byte; and every wait ends after an hour at the latest, but for that for
a channel that is not ready (channel_states.py).
"""

from collections.abc import Collection
from datetime import timedelta
from functools import cache, partial

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    exists,
    func,
    not_,
    select,
    update,
)
from sqlalchemy.orm import Session

from shared.containment import contain_failures
from shared.db import after_commit
from shared.domain.networks.failure_reasons import Reason
from shared.domain.publishing.states import PostState
from shared.models import Integration, Post

MAX_WAIT = timedelta(hours=1)
OTHER_ACCOUNT = Reason(
    code="other_account",
    message="Its integration belongs to another Postiz organization than the profile's key.",
    hint="Save a key of its organization, or cancel it and publish it to another integration.",
)
#: Posts in one round; the next round continues.
BATCH = 1000


def for_job(job_id: int) -> str:
    return f"job {job_id}"


def for_medium(account_id: int, media_id: int) -> str:
    return f"medium {media_id} of {account_id}"


def for_channels(account_id: int) -> str:
    return f"channels of {account_id}"


@cache
def is_of_other_account() -> ColumnElement[bool]:
    """The post's integration is known, but only in another organization than the profile's key.

    Two Postiz servers may use the same id, so an integration of the post's account always counts.
    """
    known = exists().where(Integration.id == Post.integration_id).correlate(Post)
    own = exists().where(
        Integration.id == Post.integration_id, Integration.account_id == Post.account_id
    )
    return and_(known, not_(own.correlate(Post)))


def set_other_account_aside(session: Session, account_id: int, *which: ColumnElement[bool]) -> None:
    """Set aside posts whose integration belongs to another account, with that error."""
    error = {
        "error_code": OTHER_ACCOUNT.code,
        "error_message": OTHER_ACCOUNT.message,
        "error_hint": OTHER_ACCOUNT.hint,
    }
    pending = Post.account_id == account_id, Post.state == PostState.PENDING
    batch = select(Post.id).where(*pending, is_of_other_account(), *which)
    free = batch.with_for_update(of=Post, key_share=True, skip_locked=True)
    set_aside(session, session.scalars(free).all(), for_channels(account_id), **error)


def set_aside(session: Session, ids: Collection[int], what: str, **values: str | None) -> None:
    """Let these posts, locked by the caller, wait for `what`; `values`: their error, if any."""
    if ids:
        aside = {"waits_for": what, "aside_until": func.now() + MAX_WAIT, **values}
        changed = update(Post).where(Post.id.in_(ids)).values(aside)
        session.execute(changed, execution_options={"synchronize_session": False})


def end_wait(session: Session, what: str) -> None:
    """End the wait for `what`. Call this after the change that ends it was written.

    Posts that others have locked are let go after our commit: whoever has them may be waiting for
    the row that was changed.
    """
    free = select(Post.id).where(Post.waits_for == what).order_by(Post.id)
    unlocked = free.with_for_update(key_share=True, skip_locked=True)
    if ids := session.scalars(unlocked).all():
        _clear_waits(session, Post.id.in_(ids))
    after_commit(session, partial(_let_go_rest, session.get_bind(), what))


def _let_go_rest(bind: Engine | Connection, what: str) -> None:
    """If they stay locked, their wait ends by itself."""
    with contain_failures("end_wait", what=what), Session(bind) as session, session.begin():
        if session.scalar(select(Post.id).where(Post.waits_for == what).limit(1)) is not None:
            _clear_waits(session, Post.waits_for == what)


def end_for_channels(session: Session, account_id: int, integration_ids: Collection[str]) -> None:
    """End the wait for these channels of the account, and clear the posts' errors."""
    of_channels = Post.integration_id.in_(integration_ids)
    no_error = dict.fromkeys(("error_code", "error_message", "error_hint"))
    _clear_waits(session, Post.waits_for == for_channels(account_id), of_channels, **no_error)


def is_expired() -> tuple[ColumnElement[bool], ...]:
    """Posts whose wait has lasted an hour."""
    return Post.waits_for != "", Post.aside_until <= func.now()


def end_expired_waits(session: Session) -> int:
    """End waits that have lasted an hour; returns how many."""
    expired = select(Post.id).where(*is_expired())
    batch = expired.order_by(Post.aside_until).limit(BATCH)
    ids = session.scalars(batch.with_for_update(key_share=True, skip_locked=True)).all()
    if ids:
        _clear_waits(session, Post.id.in_(ids))
    return len(ids)


def _clear_waits(session: Session, *which: ColumnElement[bool], **values: None) -> None:
    free = update(Post).where(*which).values(waits_for="", **values)
    session.execute(free, execution_options={"synchronize_session": False})
