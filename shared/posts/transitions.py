"""The posts: the one function that moves them from state to state, and their timeline."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Session

from shared import metrics
from shared.db import after_commit
from shared.domain.publishing.states import PostState, check_transition
from shared.errors import ClaimLost
from shared.models import Event, Post
from shared.posts import handovers
from shared.webhooks import outbox

#: Of a post of which nothing is in Postiz any more: what said where it stood there.
NOT_IN_POSTIZ: Mapping[str, None] = dict.fromkeys(
    ("submission_id", "postiz_post_id", "release_at", "released_at")
)
#: Of a post that waits for nothing any more, or tries again.
NO_ERROR: Mapping[str, None] = dict.fromkeys(("error_code", "error_message", "error_hint"))

#: What holds of a post only while it is in its state.
SAID_OF_A_STATE: Mapping[str, Any] = {
    "lease_until": None,
    "in_doubt": False,
    "waits_for": "",
    **dict.fromkeys(("error_code", "error_message", "error_hint", "error_at")),
}


def move_posts(
    session: Session,
    ids: Collection[int],
    source: PostState,
    target: PostState,
    *,
    event: str,
    detail: str | None = None,
    claim: int | None = None,
    values: Mapping[str, Any] | None = None,
) -> None:
    """Move posts from `source` to `target`, write it into their timelines, and have it told to
    webhooks: all or none.

    What was said of a post in its old state (why it waited, what went wrong) is no longer so, and
    taken off unless `values` say it anew.

    Raises `IllegalTransition` where the table forbids it, and `ClaimLost` when any of them is no
    longer in `source`, or no longer under `claim`; the caller's transaction then rolls back.
    """
    check_transition(source, target)
    if not ids:
        return
    query = (
        update(Post)
        .where(Post.id.in_(ids), Post.state == source)
        .values({"state": target, "updated_at": func.now(), **SAID_OF_A_STATE, **(values or {})})
    )
    if claim is not None:
        query = query.where(Post.claim == claim)
    moved = session.execute(query, execution_options={"synchronize_session": False})
    assert isinstance(moved, CursorResult)
    if moved.rowcount != len(ids):
        raise ClaimLost(f"{moved.rowcount} of {len(ids)} posts were still {source}")
    add_events(session, ids, event, detail)
    outbox.enqueue_post_events(session, ids, source, target)


def add_events(
    session: Session, ids: Collection[int], event: str, detail: str | None = None
) -> None:
    """Write one line into the timeline of each post."""
    source = select(Post.id, Post.job_id, literal(event), literal(detail)).where(Post.id.in_(ids))
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
    """End posts as `failed`, with the reason in words and what to do.

    `track_at`: when to look again, for what Postiz may yet turn out to have published.
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
    """End the life of the posts' present ids in Postiz: nothing is ever released under them.

    With `discard` they may still stand there, and are to be deleted.
    """
    state = "discarded" if discard else "buried"
    handovers.update_alive(session, ids, buried_at=func.now(), buried_why=why, state=state, tries=0)


def locked_by_others(session: Session, *which: ColumnElement[bool]) -> set[int]:
    """Of these posts, those that another transaction has locked; the others now are ours."""
    every = select(Post.id).where(*which)
    ours = session.scalars(every.with_for_update(key_share=True, skip_locked=True)).all()
    return set(session.scalars(every.where(Post.id.not_in(ours))))
