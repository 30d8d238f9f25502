"""Edits many posts, in batches with one transaction each, so that locks are short.

Posts that a worker has locked are edited last. Each post is planned and refused by itself.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.accounts import channel_states
from shared.db import Database
from shared.errors import Conflict, RequestError, Unavailable
from shared.models import Post
from shared.posts import edits
from shared.posts.bulk_cancel_retry import BATCH, PATIENCE, Refused
from shared.posts.day_caps import BatchedMoves, FindTarget, find_full_days
from shared.posts.edits import Edit
from shared.posts.post_queries import PostFilter
from shared.posts.requested_edits import EditRequest

#: What becomes of a post. Raises `RequestError` with the reason why it is not edited.
PlanEdit = Callable[[Session, Post], Edit]
_BUSY = "Other work had it locked all the time: it is as it was, ask again for it alone"


@dataclass
class Edited:
    """How many posts the filter met, how many were (or would be) changed, and the others."""

    matched: int = 0
    changed: int = 0
    account_ids: set[int] = field(default_factory=set)
    by_code: dict[str, Refused] = field(default_factory=dict)

    @property
    def refused(self) -> list[Refused]:
        return list(self.by_code.values())

    def refuse(self, post_id: int, error: RequestError) -> None:
        before = self.by_code.get(error.code)
        if before is None:
            first = Refused(code=error.code, message=error.message, count=1, post_id=post_id)
            self.by_code[error.code] = first
        else:
            self.by_code[error.code] = replace(before, count=before.count + 1)


def find_matching_posts(database: Database, wanted: PostFilter) -> list[int]:
    """Their ids, in the order in which they are due."""
    with database.transaction() as session:
        query = select(Post.id).where(*wanted.conditions()).order_by(Post.publish_at, Post.id)
        return list(session.scalars(query))


def find_editable(database: Database, ids: Sequence[int]) -> list[int]:
    """Those of `ids` that may be edited now, in their order."""
    with database.transaction() as session:
        editable = _editable_of(session, ids)
    return [post_id for post_id in ids if post_id in editable]


def within_day_caps(
    database: Database, ids: Sequence[int], find_target: FindTarget, plan: PlanEdit
) -> tuple[PlanEdit, BatchedMoves]:
    """As `plan`, and refused where it moves one of `ids` to a day that is full; and those that are
    moved, for `BulkEdit`."""
    with database.transaction() as session:
        full = find_full_days(session, ids, find_target)

    def plan_within(session: Session, post: Post) -> Edit:
        edit = plan(session, post)
        if edit.publish_at is not None:
            full.refuse(post)
        return edit

    return plan_within, BatchedMoves(full)


def read_times(database: Database, ids: Collection[int]) -> list[datetime]:
    """When these posts are due."""
    with database.transaction() as session:
        return list(session.scalars(select(Post.publish_at).where(Post.id.in_(ids))))


@dataclass(frozen=True, kw_only=True)
class BulkEdit:
    """`moves`: those that keep to daily caps. `request`: what it has edited before is left as it
    is, and counted."""

    plan: PlanEdit
    dry_run: bool
    moves: BatchedMoves | None = None
    request: EditRequest | None = None


def edit_matching_posts(
    database: Database, ids: Sequence[int], work: BulkEdit, done: Collection[int] = ()
) -> Edited:
    """With `dry_run` nothing is changed. `done`: what the request has edited before.

    Posts that stay locked for long are refused; where the request may be repeated, it raises
    `Unavailable` instead.
    """
    waiting = [post_id for post_id in ids if post_id not in done]
    edited = Edited(matched=len(waiting) + len(done), changed=len(done))
    deadline = time.monotonic() + PATIENCE
    while waiting:
        locked: list[int] = []
        for batch in _batches(waiting):
            locked += _edit_batch(database, batch, work, edited)
        if len(locked) < len(waiting):
            deadline = time.monotonic() + PATIENCE
        elif time.monotonic() > deadline:
            _refuse_locked(locked, work, edited)
            break
        else:
            time.sleep(0.05)
        waiting = locked
    return edited


def _refuse_locked(ids: Sequence[int], work: BulkEdit, edited: Edited) -> None:
    if work.request is not None:
        message = "Some posts are busy: send it again with the same Idempotency-Key, and it goes on"
        raise Unavailable(message, retry_after=1)
    for post_id in ids:
        edited.refuse(post_id, Conflict(_BUSY, code="busy"))


def _batches(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]


def _edit_batch(
    database: Database, ids: Sequence[int], work: BulkEdit, edited: Edited
) -> list[int]:
    """Returns those that others have locked.

    What is edited goes on waiting for its channel, in a second transaction: who says that a channel
    is ready locks the channel first, and then its posts.
    """
    with database.transaction() as session:
        planned, locked = _edit_unlocked(session, ids, work, edited)
    if planned and not work.dry_run:
        with database.transaction() as session:
            channel_states.hold_back(session, Post.id.in_(planned))
    return locked


def _edit_unlocked(
    session: Session, ids: Sequence[int], work: BulkEdit, edited: Edited
) -> tuple[Collection[int], list[int]]:
    """Returns what is edited, and what others have locked; a dry run locks nothing."""
    query = select(Post).where(Post.id.in_(ids)).order_by(Post.id)
    if not work.dry_run:
        query = query.with_for_update(key_share=True, skip_locked=True)
    posts = {post.id: post for post in session.scalars(query)}
    undone = set(posts) if work.request is None else work.request.keep_undone(session, posts)
    edited.changed += len(posts) - len(undone)  # the same request, sent twice at once
    planned = _plan_edits(session, [posts[post_id] for post_id in undone], work, edited)
    if not work.dry_run:
        _refuse_full_days(session, posts, planned, work, edited)
    edited.changed += len(planned)
    if work.dry_run:
        return planned, []
    edits.edit_posts(session, planned)
    if work.request is not None:
        work.request.note_done(session, planned)
    return planned, _keep_existing(session, [post_id for post_id in ids if post_id not in posts])


def _refuse_full_days(
    session: Session,
    posts: Mapping[int, Post],
    planned: dict[int, Edit],
    work: BulkEdit,
    edited: Edited,
) -> None:
    """Take out of `planned` what others have left no room for since it was planned."""
    times = {id_: edit.publish_at for id_, edit in planned.items() if edit.publish_at is not None}
    if work.moves is None or not times:
        return
    full = work.moves.find_full(session, times)
    for post_id in full.places:
        try:
            full.refuse(posts[post_id])
        except RequestError as error:
            edited.refuse(post_id, error)
            del planned[post_id]


def _keep_existing(session: Session, ids: Sequence[int]) -> list[int]:
    """Without those that were deleted meanwhile."""
    if not ids:
        return []
    there = set(session.scalars(select(Post.id).where(Post.id.in_(ids))))
    return [post_id for post_id in ids if post_id in there]


def _plan_edits(
    session: Session, posts: Sequence[Post], work: BulkEdit, edited: Edited
) -> dict[int, Edit]:
    editable = _editable_of(session, [post.id for post in posts])
    planned: dict[int, Edit] = {}
    for post in posts:
        try:
            edit = work.plan(session, post) if post.id in editable else edits.refuse(post)
        except RequestError as error:
            edited.refuse(post.id, error)
            continue
        if edit.as_json():
            planned[post.id] = edit
            edited.account_ids.add(post.account_id)
    return planned


def _editable_of(session: Session, ids: Sequence[int]) -> set[int]:
    return set(session.scalars(select(Post.id).where(Post.id.in_(ids), edits.is_editable())))
