"""Waits: posts are set aside while they wait for something outside of their own row.

A job's pause ends, a medium is uploaded, Postiz lists a channel: whoever brings it about ends the
wait of the posts that are set aside for it. What is set aside is in no index of what is due, so
that it costs nothing; the worker that meets such a post sets it aside
(worker/accounts/set_aside.py).

That is no more than a hint. Whether a post may go is asked of the rows that say so, when it is
claimed and before the first byte; and each is looked at again after an hour, come what may.
"""

from collections.abc import Collection
from datetime import timedelta
from functools import cache

from sqlalchemy import ColumnElement, and_, exists, func, not_, select, update
from sqlalchemy.orm import Session

from shared.domain.networks.failure_reasons import Reason
from shared.domain.publishing.states import PostState
from shared.models import Integration, Post

LOOK_AGAIN = timedelta(hours=1)
OTHER_ACCOUNT = Reason(
    code="other_account",
    message="Its integration belongs to another Postiz organization than the profile's key.",
    hint="Save a key of its organization, or cancel it and publish it to another integration.",
)
#: In one round; the next one goes on.
AT_ONCE = 1000


def for_job(job_id: int) -> str:
    return f"job {job_id}"


def for_medium(account_id: int, media_id: int) -> str:
    return f"medium {media_id} of {account_id}"


def for_channels(account_id: int) -> str:
    return f"channels of {account_id}"


@cache
def is_of_other_account() -> ColumnElement[bool]:
    """The post's integration is known, but only of another organization than the profile's key.

    Two Postiz servers may use the same id: what the account has itself is its own.
    """
    known = exists().where(Integration.id == Post.integration_id).correlate(Post)
    own = exists().where(
        Integration.id == Post.integration_id, Integration.account_id == Post.account_id
    )
    return and_(known, not_(own.correlate(Post)))


def set_other_account_aside(session: Session, account_id: int, *which: ColumnElement[bool]) -> None:
    """What the account's keys cannot send, and says so."""
    said = {
        "error_code": OTHER_ACCOUNT.code,
        "error_message": OTHER_ACCOUNT.message,
        "error_hint": OTHER_ACCOUNT.hint,
    }
    pending = Post.account_id == account_id, Post.state == PostState.PENDING
    some = select(Post.id).where(*pending, is_of_other_account(), *which)
    free = some.with_for_update(of=Post, key_share=True, skip_locked=True)
    set_aside(session, session.scalars(free).all(), for_channels(account_id), **said)


def set_aside(session: Session, ids: Collection[int], what: str, **values: str | None) -> None:
    """These posts, locked, for that; `values`: what is said of it."""
    if ids:
        aside = {"waits_for": what, "aside_until": func.now() + LOOK_AGAIN, **values}
        changed = update(Post).where(Post.id.in_(ids)).values(aside)
        session.execute(changed, execution_options={"synchronize_session": False})


def end_wait(session: Session, what: str) -> None:
    """It has come: what was set aside for it may go. To be called once that is written."""
    _clear_waits(session, Post.waits_for == what)


def end_for_channels(session: Session, account_id: int, integration_ids: Collection[str]) -> None:
    """The account has these channels: what was said of their posts is no longer so."""
    of_channels = Post.integration_id.in_(integration_ids)
    nothing = dict.fromkeys(("error_code", "error_message", "error_hint"))
    _clear_waits(session, Post.waits_for == for_channels(account_id), of_channels, **nothing)


def end_expired_waits(session: Session) -> int:
    """What has been aside for an hour is looked at anew; returns how many posts."""
    long_aside = select(Post.id).where(Post.waits_for != "", Post.aside_until <= func.now())
    some = long_aside.order_by(Post.aside_until).limit(AT_ONCE)
    ids = session.scalars(some.with_for_update(key_share=True, skip_locked=True)).all()
    if ids:
        _clear_waits(session, Post.id.in_(ids))
    return len(ids)


def _clear_waits(session: Session, *which: ColumnElement[bool], **values: None) -> None:
    free = update(Post).where(*which).values(waits_for="", **values)
    session.execute(free, execution_options={"synchronize_session": False})
