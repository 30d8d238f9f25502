"""Edits many posts, in batches with one transaction each, so that locks are short.

Posts that a worker has locked are edited last. Each post is planned and refused by itself.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db import Database
from shared.errors import RequestError, Unavailable
from shared.models import Post
from shared.posts import edits
from shared.posts.bulk_cancel_retry import BATCH, PATIENCE, Refused
from shared.posts.edits import Edit
from shared.posts.post_queries import PostFilter

#: What becomes of a post. Raises `RequestError` with the reason why it is not edited.
PlanEdit = Callable[[Session, Post], Edit]


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


def edit_matching_posts(
    database: Database, ids: Sequence[int], plan: PlanEdit, *, dry_run: bool
) -> Edited:
    """With `dry_run` nothing is changed. Raises `Unavailable` if some stay locked for too long."""
    edited = Edited(matched=len(ids))
    waiting, deadline = list(ids), time.monotonic() + PATIENCE
    while waiting:
        if time.monotonic() > deadline:
            raise Unavailable("Some posts are busy; what is done is done: ask again", retry_after=1)
        locked: list[int] = []
        for batch in _batches(waiting):
            with database.transaction() as session:
                locked += _edit_batch(session, batch, plan, edited, dry_run=dry_run)
        if len(locked) == len(waiting):
            time.sleep(0.05)
        waiting = locked
    return edited


def _batches(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]


def _edit_batch(
    session: Session, ids: Sequence[int], plan: PlanEdit, edited: Edited, *, dry_run: bool
) -> list[int]:
    """Returns those that others have locked; a dry run locks nothing."""
    query = select(Post).where(Post.id.in_(ids)).order_by(Post.id)
    if not dry_run:
        query = query.with_for_update(key_share=True, skip_locked=True)
    posts = {post.id: post for post in session.scalars(query)}
    editable = _editable_of(session, list(posts))
    planned: dict[int, Edit] = {}
    for post in posts.values():
        try:
            edit = plan(session, post) if post.id in editable else edits.refuse(post)
        except RequestError as error:
            edited.refuse(post.id, error)
            continue
        if edit.as_json():
            planned[post.id] = edit
            edited.account_ids.add(post.account_id)
    edited.changed += len(planned)
    if dry_run:
        return []
    edits.edit_posts(session, planned)
    return [post_id for post_id in ids if post_id not in posts]


def _editable_of(session: Session, ids: Sequence[int]) -> set[int]:
    return set(session.scalars(select(Post.id).where(Post.id.in_(ids), edits.is_editable())))
