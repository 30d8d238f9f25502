"""Decisions: a person approves or rejects posts that wait for it, in the revision that they saw.

The row is locked before it is looked at, so a decision and an edit come one after the other: an
edit that was first is what is decided about, or refuses a decision that names what was seen; one
that comes later asks anew.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, literal, select
from sqlalchemy.orm import Session

from shared.accounts import channel_states
from shared.db import Database, lock_again
from shared.domain.publishing.states import PostState
from shared.domain.webhook_retries import POST_REJECTED
from shared.errors import Conflict
from shared.models import Event, Post
from shared.posts import edits, transitions
from shared.posts.bulk_cancel_retry import Changed, change_all_posts, count_posts
from shared.posts.post_queries import PostFilter
from shared.webhooks import outbox

#: Codes of refusals, and of what became of a post that was rejected.
NOT_WAITING, CHANGED = "not_waiting_for_approval", "changed_meanwhile"
REJECTED = "rejected"
MAX_NOTE = 1000


def approve_post(session: Session, post: Post, *, by: str, revision: int | None = None) -> None:
    """`by`: who, in words. `revision`: the one that they saw; None: whichever it is.

    Raises `Conflict` for a post that does not wait, that has changed, or of which it is not known
    yet what goes out.
    """
    _lock_waiting(session, post, revision)
    if post.integration_identifier is None:
        message = "The post's channel is not known yet, because Postiz has not listed it: try later"
        raise Conflict(message, code="channel_not_known")
    _approve_posts(session, [post.id], by=by)
    session.refresh(post)


def reject_post(
    session: Session, post: Post, *, by: str, note: str, revision: int | None = None
) -> None:
    """It is cancelled, and may be edited and retried. Raises `Conflict` as `approve_post`."""
    _lock_waiting(session, post, revision)
    transitions.move_posts(
        session,
        [post.id],
        PostState.WAITING_APPROVAL,
        PostState.CANCELLED,
        event=REJECTED,
        detail=f"by {by}: {note}" if note else f"by {by}",
        values={
            "error_code": REJECTED,
            "error_message": note or "It was rejected without a note.",
            "error_hint": "Edit it and retry it: it then waits for approval again.",
        },
    )
    outbox.enqueue_post_event(session, [post.id], POST_REJECTED)
    session.refresh(post)


def approve_matching_posts(
    database: Database, wanted: PostFilter, *, by: str, as_of: datetime | None = None
) -> Changed:
    """All that wait now, of which it is known what goes out, and that nobody has edited since
    `as_of`; None: as they are."""
    changed = Changed(matched=count_posts(database, wanted.conditions()))
    unedited = () if as_of is None else (_is_unedited(as_of),)

    def approve(session: Session, ids: Sequence[int]) -> None:
        # an edit that was committed just before they were locked is seen by a new statement alone
        seen = session.scalars(select(Post.id).where(Post.id.in_(ids), *unedited)).all()
        _approve_posts(session, seen, by=by)

    change_all_posts(database, changed, [*wanted.conditions(), *_is_ready(), *unedited], approve)
    return changed


def _is_ready() -> tuple[ColumnElement[bool], ...]:
    return Post.state == PostState.WAITING_APPROVAL, Post.integration_identifier.is_not(None)


def _is_unedited(as_of: datetime) -> ColumnElement[bool]:
    edited = Event.event == edits.EDITED, Event.at > as_of
    return ~exists().where(Event.post_id == Post.id, *edited)


def _lock_waiting(session: Session, post: Post, revision: int | None) -> None:
    lock_again(session, post)
    if revision not in {None, post.revision}:
        message = "The post has changed since you saw it: look at it again"
        raise Conflict(message, code=CHANGED)
    if post.state != PostState.WAITING_APPROVAL:
        raise Conflict(f"The post is {post.state}: it does not wait for approval", code=NOT_WAITING)


def _approve_posts(session: Session, ids: Sequence[int], *, by: str) -> None:
    revision = transitions.in_words_of_revision()
    transitions.move_posts(
        session,
        ids,
        PostState.WAITING_APPROVAL,
        PostState.PENDING,
        event="approved",
        detail=revision + literal(f", by {by}"),
        values={"approved_revision": Post.revision},
    )
    channel_states.hold_back(session, Post.id.in_(ids))


def lock_posts_of_job(session: Session, job_id: int, ids: Sequence[int]) -> list[Post]:
    """Those of `ids` that are posts of the job and need approval, locked in a common order."""
    needed = Post.requires_approval, Post.job_id == job_id, Post.id.in_(ids)
    query = select(Post).where(*needed).order_by(Post.id)
    locked = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return list(session.scalars(locked))
