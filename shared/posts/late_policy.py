"""The late policy: what happens to a post that could not be published in time.

`publish`: it is published late. `skip`: it fails as `late_skipped`. `hold`: it becomes `held` until
a person retries it. The policy applies until the release; after that, Postiz publishes the post.
"""

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from shared.domain.publishing.planner import LATE
from shared.domain.publishing.states import PostState
from shared.models import Post
from shared.posts import transitions


class LatePolicy(StrEnum):
    PUBLISH = "publish"
    SKIP = "skip"
    HOLD = "hold"


#: The states of posts that are stopped when they are late; what waits for an approval, too.
STOPPABLE = (PostState.PENDING, PostState.STAGED, PostState.WAITING_APPROVAL)
#: The error code of a skipped post, and of a held one.
SKIPPED, HELD = "late_skipped", "late_held"
_MESSAGE = "It could not go out within 5 minutes of its time"


def is_in_time() -> ColumnElement[bool]:
    """Whether the post's time and policy allow it to be published; a user's draft is never late."""
    in_time = Post.publish_at > func.clock_timestamp() - LATE
    return or_(Post.late_policy == LatePolicy.PUBLISH, Post.as_draft, in_time)


def is_to_be_stopped(state: PostState) -> tuple[ColumnElement[bool], ...]:
    """Posts in `state` that are too late, and are not to be published late; an edit that waits may
    give them another time."""
    return (
        Post.late_policy.in_((LatePolicy.SKIP, LatePolicy.HOLD)),
        Post.state.in_(STOPPABLE),  # so that the index is used
        Post.state == state,
        Post.publish_at <= func.clock_timestamp() - LATE,
        ~Post.as_draft,
        Post.edit.is_(None),
    )


def lock_late_posts(session: Session, state: PostState, *, limit: int) -> list[tuple[int, str]]:
    """Lock posts in `state` that are too late, the oldest first; returns their ids and policies."""
    rows = session.execute(
        select(Post.id, Post.late_policy)
        .where(*is_to_be_stopped(state))
        .order_by(Post.publish_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return [(row.id, row.late_policy) for row in rows]


def skip_late_posts(session: Session, ids: Sequence[int], state: PostState) -> None:
    """Mark the posts as failed; a draft in Postiz was never released, and is deleted."""
    transitions.retire_handovers(session, ids, "skipped: too late", discard=True)
    transitions.fail_posts(
        session,
        ids,
        state,
        code=SKIPPED,
        message=f"{_MESSAGE}, and late_policy is skip.",
        hint="Retry it to publish it all the same.",
    )


def hold_late_posts(session: Session, ids: Sequence[int], state: PostState) -> None:
    """Mark the posts as held until a person decides; a draft in Postiz is deleted."""
    transitions.retire_handovers(session, ids, "held: too late", discard=True)
    transitions.move_posts(
        session,
        ids,
        state,
        PostState.HELD,
        event="held",
        detail=f"{_MESSAGE}: it waits for a person",
        values={
            **transitions.NOT_IN_POSTIZ,
            "error_code": HELD,
            "error_message": f"{_MESSAGE}, and late_policy is hold: it waits for you.",
            "error_hint": "Retry it to publish it now, or cancel it.",
        },
    )


def after_retry() -> ColumnElement[str]:
    """The policy after a retry by a person: a post that is late already is published anyway."""
    late = Post.publish_at <= func.clock_timestamp() - LATE
    return case((late, LatePolicy.PUBLISH.value), else_=Post.late_policy)
