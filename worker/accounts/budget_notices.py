"""Budget notices: the error of posts that wait for Postiz's hourly limit, with the time."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session

from shared.domain.publishing.states import PostState
from shared.models import Account, Handover, Post
from shared.posts import handovers, transitions
from worker.accounts.eligibility import is_due_for_staging

BUDGET_EXHAUSTED = "budget_exhausted"
HINT = (
    "It goes on by itself. If you have raised Postiz's API_LIMIT, say so with the account's "
    "`budget_limit`, and it goes on sooner."
)
#: Posts per call; the next round continues.
BATCH = 1000


def write_notices(session: Session, account: Account, *, until: datetime, parking: bool) -> None:
    """Mark posts that wait because no counted call is left before `until`.

    `parking`: not even for moves to 2099. Posts that are due later, or wait for something else, are
    not marked.
    """
    blocked = account.blocked_until is not None and account.blocked_until >= until
    cause = "Postiz has blocked further calls" if blocked else "this hour's calls are used up"
    at = until.astimezone(UTC).isoformat(timespec="seconds")
    message = f"It waits until {at} for Postiz's hourly limit on creating posts: {cause}."
    _mark_waiting_posts(session, message, is_due_for_staging(account.id), Post.publish_at <= until)
    if parking:
        waits_to_park = exists().where(
            handovers.is_alive_of_post(), Handover.to_park_at.is_not(None)
        )
        releasing = Post.account_id == account.id, Post.state == PostState.RELEASING
        _mark_waiting_posts(session, message, *releasing, waits_to_park.correlate(Post))


def clear_notices(session: Session, ids: Sequence[int]) -> None:
    """Remove the notice from these posts, which continue."""
    clearing = update(Post).where(Post.id.in_(ids), Post.error_code == BUDGET_EXHAUSTED)
    session.execute(
        clearing.values(transitions.NO_ERROR), execution_options={"synchronize_session": False}
    )


def _mark_waiting_posts(session: Session, message: str, *conditions: ColumnElement[bool]) -> None:
    has_other_message = and_(Post.error_code == BUDGET_EXHAUSTED, Post.error_message != message)
    unmarked_posts = select(Post.id).where(
        *conditions, or_(Post.error_code.is_(None), has_other_message)
    )
    unlocked_posts = unmarked_posts.limit(BATCH).with_for_update(
        of=Post, key_share=True, skip_locked=True
    )
    notice = {"error_code": BUDGET_EXHAUSTED, "error_message": message, "error_hint": HINT}
    session.execute(
        update(Post)
        .where(Post.id.in_(unlocked_posts))
        .values({**notice, "updated_at": func.now()}),
        execution_options={"synchronize_session": False},
    )
