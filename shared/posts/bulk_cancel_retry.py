"""Second thoughts about many posts: in batches of a transaction each, so that no lock lasts.

Rows that a worker holds are passed over and come last, so that neither ever waits for the other's
lock. Whatever is repeated changes nothing more.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.errors import HOW_TO_CONFIGURE, NotConfigured, Unavailable
from shared.models import Post
from shared.posts import cancel_retry
from shared.posts.post_queries import PostFilter

#: Why a post is not tried again.
NOT_CONFIGURED, MAY_BE_LIVE = NotConfigured.code, "may_be_live"
_WHY_REFUSED = {
    NOT_CONFIGURED: HOW_TO_CONFIGURE,
    MAY_BE_LIVE: cancel_retry.MAY_BE_LIVE.replace("{", "{{").replace("}", "}}"),
}
BATCH = 500
#: For posts that workers hold at the moment (seconds).
PATIENCE = 20.0
#: Of a profile's or an account's: a user's draft is what was asked for, and stays.
UNPUBLISHED = (
    PostState.PENDING,
    PostState.HELD,
    PostState.STAGING,
    PostState.STAGED,
    PostState.SCHEDULED,
)

Change = Callable[[Session, Sequence[int]], object]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """So many posts were left as they are, for this reason; `post_id`: the first of them."""

    code: str
    message: str
    count: int
    post_id: int


@dataclass
class Changed:
    """How many posts were changed, and of which accounts they are."""

    posts: int = 0
    refused: list[Refused] = field(default_factory=list)
    account_ids: set[int] = field(default_factory=set)

    def count_refused(self, code: str) -> int:
        return sum(refused.count for refused in self.refused if refused.code == code)


def cancel_matching_posts(
    database: Database,
    wanted: PostFilter,
    *,
    states: Sequence[PostState] = cancel_retry.CAN_BE_TAKEN_BACK,
) -> Changed:
    """Take back all that can be; what is being released at this moment as soon as that is over."""
    changed = Changed()
    open_now = [*wanted.conditions(), Post.state.in_(states)]
    on_its_way = [
        *wanted.conditions(),
        Post.state == PostState.RELEASING,
        Post.take_back.is_(False),
    ]
    # a post may come back from its release, or begin it, while the others are taken back
    while _change_all(database, changed, open_now, cancel_retry.cancel_posts) + _change_all(
        database, changed, on_its_way, _request_cancel
    ):
        continue
    return changed


def _request_cancel(session: Session, ids: Sequence[int]) -> None:
    session.execute(update(Post).where(Post.id.in_(ids)).values(take_back=True))


def retry_matching_posts(database: Database, wanted: PostFilter, *, confirmed: bool) -> Changed:
    """Have what failed until now tried again; on the word also what may be live, or is overdue.

    Posts that are held because they are late are let go. What has no Postiz is left as it is.
    """
    changed = Changed()
    with database.transaction() as session:
        begun = session.scalar(select(func.now()))
    failed = [*wanted.conditions(), Post.state == PostState.FAILED, Post.updated_at <= begun]
    late = [*wanted.conditions(), cancel_retry.overdue_condition()]
    configured, live = cancel_retry.has_postiz(), cancel_retry.may_be_live()
    free = [*failed, configured, *([] if confirmed else [~live])]
    held = [*wanted.conditions(), Post.state == PostState.HELD]
    _change_all(database, changed, [*held, configured], cancel_retry.release_held)
    _change_all(database, changed, free, cancel_retry.requeue_failed)
    if confirmed:
        _change_all(database, changed, [*late, configured], cancel_retry.reconcile_overdue)
    changed.refused += _find_refusals(database, [held, failed, late], confirmed=confirmed)
    return changed


def _find_refusals(
    database: Database, groups: Sequence[Sequence[ColumnElement[bool]]], *, confirmed: bool
) -> list[Refused]:
    configured, live = cancel_retry.has_postiz(), cancel_retry.may_be_live()
    found: list[Refused] = []
    with database.transaction() as session:
        for group in groups:
            found += _refused_by_code(session, NOT_CONFIGURED, [*group, ~configured])
            if not confirmed:
                found += _refused_by_code(session, MAY_BE_LIVE, [*group, configured, live])
    return found


def _refused_by_code(
    session: Session, code: str, which: Sequence[ColumnElement[bool]]
) -> Iterator[Refused]:
    count, post_id = session.execute(select(func.count(), func.min(Post.id)).where(*which)).one()
    if count:
        profile_id = session.get_one(Post, post_id).profile_id
        message = _WHY_REFUSED[code].format(id=profile_id)
        yield Refused(code=code, message=message, count=count, post_id=post_id)


def _change_all(
    database: Database, changed: Changed, which: Sequence[ColumnElement[bool]], change: Change
) -> int:
    """Change every post that is `which`, and is no longer once it was changed."""
    before = changed.posts
    deadline = time.monotonic() + PATIENCE
    while _has_matching_posts(database, which):
        if time.monotonic() > deadline:
            raise Unavailable("Some posts are busy; what is done is done: ask again", retry_after=1)
        if not _change_unlocked(database, changed, which, change):
            time.sleep(0.05)
    return changed.posts - before


def _has_matching_posts(database: Database, which: Sequence[ColumnElement[bool]]) -> bool:
    with database.transaction() as session:
        return session.scalar(select(Post.id).where(*which).limit(1)) is not None


def _change_unlocked(
    database: Database, changed: Changed, which: Sequence[ColumnElement[bool]], change: Change
) -> int:
    """Once through all of them, leaving out what somebody holds; how many were changed."""
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


def finish_requested_cancels(session: Session) -> None:
    """Take back what could not be while it was being released, and now can; called by the sweep."""
    ids = session.scalars(
        select(Post.id)
        .where(Post.take_back, Post.state != PostState.RELEASING)
        .order_by(Post.id)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    cancel_retry.cancel_posts(session, ids)
    session.execute(update(Post).where(Post.id.in_(ids)).values(take_back=False))
