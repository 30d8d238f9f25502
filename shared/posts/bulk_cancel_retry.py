"""Cancels and retries many posts, in batches with one transaction each, so that locks are short.

Rows that a worker has locked are skipped and done last, so that neither side waits for the other's
lock. A repeated request changes nothing more.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, select, update
from sqlalchemy.orm import Session

from shared.db import Database, read_clock
from shared.domain.publishing.states import PostState
from shared.errors import Unavailable
from shared.models import Event, Post
from shared.posts import cancel_retry
from shared.posts.post_queries import PostFilter
from shared.posts.requested_edits import EditRequest
from shared.posts.retryable import WHY_REFUSED, Conditions, Retryable

BATCH = 500
#: How long to wait for posts that workers have locked (seconds).
PATIENCE = 20.0
#: What is cancelled for a whole profile or account. Drafts that the user asked for are kept.
UNPUBLISHED = (
    PostState.PENDING,
    PostState.WAITING_APPROVAL,
    PostState.HELD,
    PostState.STAGING,
    PostState.STAGED,
    PostState.SCHEDULED,
    PostState.RESCHEDULING,
)

Change = Callable[[Session, Sequence[int]], object]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Posts that were not changed, with the reason; `post_id`: the first of them."""

    code: str
    message: str
    count: int
    post_id: int


@dataclass
class Changed:
    """How many posts met the filter and were changed, and the accounts that they belong to."""

    matched: int = 0
    posts: int = 0
    refused: list[Refused] = field(default_factory=list)
    account_ids: set[int] = field(default_factory=set)

    def count_refused(self, code: str) -> int:
        return sum(refused.count for refused in self.refused if refused.code == code)


def cancel_matching_posts(
    database: Database,
    wanted: PostFilter,
    *,
    states: Sequence[PostState] = cancel_retry.CANCELLABLE,
) -> Changed:
    """Cancel all posts that can be cancelled; those being released now, when the release ends."""
    changed = Changed(matched=count_posts(database, wanted.conditions()))
    cancellable, releasing = _cancellable(wanted, states)
    # once each: one that Postiz is about to publish is soon in a state again that can be cancelled
    cancellable = [*cancellable, ~_was_refused_since(_read_now(database))]
    # a release may begin or end while the other posts are cancelled
    while change_all_posts(
        database, changed, cancellable, cancel_retry.cancel_posts
    ) + change_all_posts(database, changed, releasing, _request_cancel):
        continue
    return changed


def _was_refused_since(moment: datetime) -> ColumnElement[bool]:
    refusals = (cancel_retry.TOO_LATE_TO_CANCEL, cancel_retry.NOT_CANCELLED)
    late = Event.event.in_(refusals), Event.at >= moment
    return exists().where(Event.post_id == Post.id, *late)


def _read_now(database: Database) -> datetime:
    with database.transaction() as session:
        return read_clock(session)


def preview_cancel(database: Database, wanted: PostFilter) -> Changed:
    """What `cancel_matching_posts` would change now."""
    groups = _cancellable(wanted, cancel_retry.CANCELLABLE)
    return Changed(
        matched=count_posts(database, wanted.conditions()),
        posts=sum(count_posts(database, group) for group in groups),
    )


def _cancellable(wanted: PostFilter, states: Sequence[PostState]) -> tuple[Conditions, Conditions]:
    """Posts that can be cancelled now, and those that can when their release has ended."""
    releasing = Post.state == PostState.RELEASING, Post.take_back.is_(False)
    return (
        [*wanted.conditions(), Post.state.in_(states)],
        [*wanted.conditions(), *releasing],
    )


def count_posts(database: Database, which: Conditions) -> int:
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(Post).where(*which)) or 0


def _request_cancel(session: Session, ids: Sequence[int]) -> None:
    session.execute(update(Post).where(Post.id.in_(ids)).values(take_back=True))


def retry_matching_posts(
    database: Database,
    wanted: PostFilter,
    *,
    confirmed: bool,
    past_approval: bool = True,
    request: EditRequest | None = None,
) -> Changed:
    """Retry posts that have failed until now, and release posts that are held for being late.

    `past_approval`: also posts that need none. `request`: if it is repeated, only what is as it was
    when it was sent first. A person's word says nothing of what happened after it.

    With `confirmed` (a person says that they were not published) also posts that may be live, and
    overdue ones. Posts of a profile without a Postiz are refused, and those without their media.
    """
    changed = Changed(matched=count_posts(database, wanted.conditions()))
    which = Retryable.of(database, wanted, past_approval=past_approval, request=request)
    held, failed, overdue = which.split(confirmed=confirmed)
    change_all_posts(database, changed, held, cancel_retry.release_held)
    change_all_posts(database, changed, failed, cancel_retry.requeue_posts)
    if confirmed:
        change_all_posts(database, changed, overdue, cancel_retry.reconcile_overdue)
    changed.refused += _find_refusals(database, which, confirmed=confirmed)
    return changed


def preview_retry(
    database: Database, wanted: PostFilter, *, confirmed: bool, past_approval: bool = True
) -> Changed:
    """What `retry_matching_posts` would change now."""
    which = Retryable.of(database, wanted, past_approval=past_approval)
    held, failed, overdue = which.split(confirmed=confirmed)
    return Changed(
        matched=count_posts(database, wanted.conditions()),
        posts=sum(
            count_posts(database, group) for group in (held, failed, *([overdue] * confirmed))
        ),
        refused=_find_refusals(database, which, confirmed=confirmed),
    )


def _find_refusals(database: Database, which: Retryable, *, confirmed: bool) -> list[Refused]:
    with database.transaction() as session:
        return [
            refused
            for code, posts in which.refused(confirmed=confirmed)
            for refused in _refused_by_code(session, code, posts)
        ]


def _refused_by_code(
    session: Session, code: str, which: Sequence[ColumnElement[bool]]
) -> Iterator[Refused]:
    count, post_id = session.execute(select(func.count(), func.min(Post.id)).where(*which)).one()
    if count:
        profile_id = session.get_one(Post, post_id).profile_id
        message = WHY_REFUSED[code].format(id=profile_id)
        yield Refused(code=code, message=message, count=count, post_id=post_id)


def change_all_posts(
    database: Database, changed: Changed, which: Sequence[ColumnElement[bool]], change: Change
) -> int:
    """Change all posts that match `which`; a changed post must no longer match. Returns how many.

    Raises `Unavailable` if some stay locked for too long.
    """
    before = changed.posts
    deadline = time.monotonic() + PATIENCE
    while _has_matching_posts(database, which):
        if _change_unlocked(database, changed, which, change):
            deadline = time.monotonic() + PATIENCE
        elif time.monotonic() > deadline:
            raise Unavailable("Some posts are busy; what is done is done: ask again", retry_after=1)
        else:
            time.sleep(0.05)
    return changed.posts - before


def _has_matching_posts(database: Database, which: Sequence[ColumnElement[bool]]) -> bool:
    with database.transaction() as session:
        return session.scalar(select(Post.id).where(*which).limit(1)) is not None


def _change_unlocked(
    database: Database, changed: Changed, which: Sequence[ColumnElement[bool]], change: Change
) -> int:
    """Change all matching posts that nobody has locked, once; returns how many."""
    number, after = 0, 0
    while True:
        with database.transaction() as session:
            rows = session.execute(
                select(Post.id, Post.account_id)
                .where(*which, Post.id > after)
                .order_by(Post.id)
                .limit(BATCH)
                .with_for_update(key_share=True, skip_locked=True)
            ).all()
            if rows:
                change(session, [row.id for row in rows])
        number += len(rows)
        changed.posts += len(rows)
        changed.account_ids |= {row.account_id for row in rows}
        if len(rows) < BATCH:
            return number
        after = rows[-1].id


def is_cancel_due() -> ColumnElement[bool]:
    """Posts whose cancellation had to wait for the end of a release, which is over."""
    return and_(Post.take_back, Post.state != PostState.RELEASING)


def finish_requested_cancels(session: Session) -> None:
    """Cancel posts whose cancellation had to wait for the end of a release; called by the sweep."""
    ids = session.scalars(
        select(Post.id)
        .where(is_cancel_due())
        .order_by(Post.id)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    cancel_retry.cancel_posts(session, ids)
    session.execute(update(Post).where(Post.id.in_(ids)).values(take_back=False))
