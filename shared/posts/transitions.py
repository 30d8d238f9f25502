"""State changes of posts: the one function that makes them, and the timeline."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Text,
    case,
    cast,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shared import metrics
from shared.db import after_commit
from shared.domain.publishing.states import PostState, check_transition
from shared.errors import ClaimLost
from shared.models import Event, Post
from shared.posts import handovers
from shared.posts.approval import is_approved
from shared.webhooks import outbox

#: Values for a post that is no longer in Postiz.
NOT_IN_POSTIZ: Mapping[str, None] = dict.fromkeys(
    (
        "submission_id",
        "postiz_post_id",
        "release_at",
        "released_at",
        "release_url",
        "published_at",
    )
)
#: Values for a post that no longer waits, or is tried again.
NO_ERROR: Mapping[str, None] = dict.fromkeys(("error_code", "error_message", "error_hint"))

#: Values that every state change resets: they are true only in the old state.
CLEARED_BY_MOVE: Mapping[str, Any] = {
    "lease_until": None,
    "in_doubt": False,
    "waits_for": "",
    **dict.fromkeys(("error_code", "error_message", "error_hint", "error_at")),
}


#: The event in the timeline of a post that waits for a person's approval.
APPROVAL_REQUESTED = "approval_requested"
#: From and to these states a post goes out as it was, whatever edit (shared/posts/edits.py) waits.
_MAY_BE_EDITED = frozenset({PostState.FAILED, PostState.CANCELLING, PostState.RESCHEDULING})
_GOES_OUT = frozenset({PostState.SCHEDULED, PostState.PUBLISHED})


def move_posts(
    session: Session,
    ids: Collection[int],
    source: PostState,
    target: PostState,
    *,
    event: str,
    detail: str | ColumnElement[str] | ColumnElement[str | None] | None = None,
    claim: int | None = None,
    values: Mapping[str, Any] | None = None,
) -> None:
    """Move all posts from `source` to `target`, or none; write timelines and webhook deliveries.

    What described the old state (why a post waited, what went wrong) is cleared unless `values` set
    it. What becomes pending in a revision that nobody has approved goes on to `waiting_approval`.

    Raises `IllegalTransition` if the table forbids it, and `ClaimLost` if any post is no longer in
    `source` or no longer under `claim`; the caller's transaction then rolls back.
    """
    check_transition(source, target)
    if not ids:
        return
    new = {"state": target, "updated_at": func.now(), **CLEARED_BY_MOVE, **(values or {})}
    if source in _MAY_BE_EDITED and target in _GOES_OUT:
        drop_edits(session, ids, "It goes out as it was")
    query = update(Post).where(Post.id.in_(ids), Post.state == source).values(new)
    if claim is not None:
        query = query.where(Post.claim == claim)
    moved = session.execute(query, execution_options={"synchronize_session": False})
    assert isinstance(moved, CursorResult)
    if moved.rowcount != len(ids):
        raise ClaimLost(f"{moved.rowcount} of {len(ids)} posts were still {source}")
    add_events(session, ids, event, detail)
    outbox.enqueue_post_events(session, ids, source, target)
    if target is PostState.PENDING:
        ask_for_approval(session, ids)


def ask_for_approval(session: Session, ids: Collection[int]) -> None:
    """Those of `ids` that are pending, and that a person has to approve as they are, wait for it.

    Whatever makes posts pending, or changes pending ones, calls it in the same transaction. Those
    with an edit that waits are asked for once it has taken effect.
    """
    pending = Post.id.in_(ids), Post.state == PostState.PENDING, Post.edit.is_(None)
    asked = session.scalars(select(Post.id).where(*pending, ~is_approved())).all()
    move_posts(
        session,
        asked,
        PostState.PENDING,
        PostState.WAITING_APPROVAL,
        event=APPROVAL_REQUESTED,
        detail=in_words_of_revision(),
    )


def drop_edits(session: Session, ids: Collection[int], reason: str) -> None:
    """Those of `ids` with a waiting edit keep their old values, which is a new revision: whoever
    knows the edit must not believe that it holds. They were approved if they had to be, because
    they are in Postiz."""
    edited = select(Post.id).where(Post.id.in_(ids), Post.edit.is_not(None))
    dropped = session.scalars(edited).all()
    if not dropped:
        return
    approved = case((Post.requires_approval, Post.revision + 1))
    values = {"edit": None, "revision": Post.revision + 1, "approved_revision": approved}
    query = update(Post).where(Post.id.in_(dropped)).values({**values, "updated_at": func.now()})
    session.execute(query, execution_options={"synchronize_session": False})
    add_events(session, dropped, "edit_dropped", reason)


def in_words_of_revision() -> ColumnElement[str]:
    return literal("revision ") + cast(Post.revision, Text)


def value_of_each(values: Mapping[int, str | None]) -> ColumnElement[str | None]:
    """For one statement about many posts: the value of each, by its id."""
    value: ColumnElement[str | None] = cast(values, JSONB)[cast(Post.id, Text)].astext
    return value


def add_events(
    session: Session,
    ids: Collection[int],
    event: str,
    detail: str | ColumnElement[str] | ColumnElement[str | None] | None = None,
) -> None:
    """Write one entry into the timeline of each post."""
    words = detail if isinstance(detail, ColumnElement) else literal(detail)
    source = select(Post.id, Post.job_id, literal(event), words).where(Post.id.in_(ids))
    session.execute(insert(Event).from_select(["post_id", "job_id", "event", "detail"], source))
    after_commit(session, lambda: metrics.POST_EVENTS.labels(event).inc(len(ids)))


def fail_posts(
    session: Session,
    ids: Collection[int],
    source: PostState,
    *,
    code: str,
    message: str,
    hint: str | None = None,
    claim: int | None = None,
    track_at: datetime | ColumnElement[datetime] | None = None,
) -> None:
    """Mark posts as `failed`, with a reason and a hint what to do.

    `track_at`: when to read the post in Postiz again, because it may have been published after all.
    """
    values = {
        "track_at": track_at,
        "error_code": code,
        "error_message": message,
        "error_hint": hint,
        "error_at": func.now(),
    }
    move_posts(
        session,
        ids,
        source,
        PostState.FAILED,
        event="failed",
        detail=message,
        claim=claim,
        values=values,
    )
    after_commit(session, lambda: metrics.POSTS_FAILED.labels(code).inc(len(ids)))


def retire_handovers(
    session: Session, ids: Collection[int], why: str, *, discard: bool = False
) -> None:
    """Retire the posts' current ids in Postiz: nothing is released under them any more.

    With `discard` the posts may still exist in Postiz, and are to be deleted there.
    """
    state = "discarded" if discard else "buried"
    handovers.update_alive(session, ids, buried_at=func.now(), buried_why=why, state=state, tries=0)


def locked_by_others(session: Session, *which: ColumnElement[bool]) -> set[int]:
    """The ids of posts that another transaction has locked; the others are now locked by us."""
    every = select(Post.id).where(*which)
    ours = session.scalars(every.with_for_update(key_share=True, skip_locked=True)).all()
    return set(session.scalars(every.where(Post.id.not_in(ours))))
