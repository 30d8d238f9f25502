"""Exhausted: tells posts that wait for Postiz's hourly limit until when that will be."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session

from shared.domain.publishing.states import PostState
from shared.models import Account, Handover, Post
from shared.posts import transitions
from worker.accounts.eligibility import due

BUDGET_EXHAUSTED = "budget_exhausted"
HINT = (
    "It goes on by itself. If you have raised Postiz's API_LIMIT, say so with the account's "
    "`budget_limit`, and it goes on sooner."
)
#: The next round goes on.
AT_ONCE = 1000


def tell(session: Session, account: Account, *, until: datetime, parking: bool) -> None:
    """There is no counted call left until then; `parking`: not even for moves to 2099.

    Only what would go before then waits for it; what waits for something else is told that.
    """
    blocked = account.blocked_until is not None and account.blocked_until >= until
    why = "Postiz has blocked further calls" if blocked else "this hour's calls are used up"
    at = until.astimezone(UTC).isoformat(timespec="seconds")
    words = f"It waits until {at} for Postiz's hourly limit on creating posts: {why}."
    _say(session, words, due(account.id), Post.publish_at <= until)
    if parking:
        to_park = exists().where(
            Handover.post_id == Post.id,
            Handover.buried_at.is_(None),
            Handover.to_park_at.is_not(None),
        )
        releasing = Post.account_id == account.id, Post.state == PostState.RELEASING
        _say(session, words, *releasing, to_park.correlate(Post))


def is_over(session: Session, ids: Sequence[int]) -> None:
    """These posts go on."""
    said = update(Post).where(Post.id.in_(ids), Post.error_code == BUDGET_EXHAUSTED)
    session.execute(
        said.values(transitions.NO_ERROR), execution_options={"synchronize_session": False}
    )


def _say(session: Session, words: str, *which: ColumnElement[bool]) -> None:
    other_words = and_(Post.error_code == BUDGET_EXHAUSTED, Post.error_message != words)
    unsaid = select(Post.id).where(*which, or_(Post.error_code.is_(None), other_words))
    free = unsaid.limit(AT_ONCE).with_for_update(of=Post, key_share=True, skip_locked=True)
    said = {"error_code": BUDGET_EXHAUSTED, "error_message": words, "error_hint": HINT}
    session.execute(
        update(Post).where(Post.id.in_(free)).values({**said, "updated_at": func.now()}),
        execution_options={"synchronize_session": False},
    )
