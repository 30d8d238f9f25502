"""What becomes of posts that could not go out in time: the user's word on each of them.

`publish`: out it goes, late. `skip`: it fails as `late_skipped`. `hold`: it waits for a person, as
`held`, who lets it go by a retry. The word counts until the release: what Postiz has been told to
publish is Postiz's to publish.
"""

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import ColumnElement, case, func, or_, select, update
from sqlalchemy.orm import Session

from shared import posts
from shared.domain.planner import LATE
from shared.domain.states import PostState
from shared.models import Post


class LatePolicy(StrEnum):
    PUBLISH = "publish"
    SKIP = "skip"
    HOLD = "hold"
    HELD = "held"  # was to be held, is late, and waits for a person


#: The code of a post that was skipped, and of one that is held.
SKIPPED, HELD = "late_skipped", "late_held"
_MESSAGE = "It could not go out within 5 minutes of its time"


def not_too_late() -> ColumnElement[bool]:
    """The post may go out by its time and its policy; a user's draft is never too late."""
    in_time = Post.publish_at > func.clock_timestamp() - LATE
    waits = Post.late_policy == LatePolicy.HELD
    return or_(Post.late_policy == LatePolicy.PUBLISH, Post.as_draft, ~waits & in_time)


def overdue(session: Session, state: PostState, *, limit: int) -> list[tuple[int, str]]:
    """Ids and policies of posts in `state` that are too late, locked; the longest overdue first."""
    rows = session.execute(
        select(Post.id, Post.late_policy)
        .where(
            Post.late_policy.in_((LatePolicy.SKIP, LatePolicy.HOLD)),
            Post.state.in_((PostState.PENDING, PostState.STAGED)),  # as its index says
            Post.state == state,
            Post.publish_at <= func.clock_timestamp() - LATE,
            ~Post.as_draft,
        )
        .order_by(Post.publish_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return [(row.id, row.late_policy) for row in rows]


def skip(session: Session, ids: Sequence[int], state: PostState) -> None:
    """End them as failed; a draft that stands in Postiz was never released, and is deleted."""
    posts.bury(session, ids, "skipped: too late", discard=True)
    posts.fail(
        session,
        ids,
        state,
        code=SKIPPED,
        message=f"{_MESSAGE}, and late_policy is skip.",
        hint="Retry it to publish it all the same.",
    )


def hold(session: Session, ids: Sequence[int], state: PostState) -> None:
    """Have them wait, out of Postiz, for a person."""
    if state is PostState.STAGED:
        posts.bury(session, ids, "held: too late", discard=True)
        gone = posts.NOT_IN_POSTIZ
        posts.move(session, ids, state, PostState.PENDING, event="taken_back", values=gone)
    held = {
        "late_policy": LatePolicy.HELD,
        "error_code": HELD,
        "error_message": f"{_MESSAGE}, and late_policy is hold: it waits for you.",
        "error_hint": "Retry it to publish it now, or cancel it.",
        "updated_at": func.now(),
    }
    session.execute(update(Post).where(Post.id.in_(ids)).values(held))
    posts.add_events(session, ids, "held", f"{_MESSAGE}: it waits for a person")


def held(session: Session, *which: ColumnElement[bool]) -> list[int]:
    """The ids of held posts, locked."""
    query = select(Post.id).where(
        Post.state == PostState.PENDING, Post.late_policy == LatePolicy.HELD, *which
    )
    return list(session.scalars(query.with_for_update(key_share=True)))


def let_go(session: Session, ids: Sequence[int]) -> None:
    """A person's word: publish these held posts now, late as they are."""
    if not ids:
        return
    free = {
        "late_policy": LatePolicy.PUBLISH,
        "next_at": func.now(),
        "updated_at": func.now(),
        **dict.fromkeys(("error_code", "error_message", "error_hint")),
    }
    session.execute(update(Post).where(Post.id.in_(ids)).values(free))
    posts.add_events(session, ids, "let_go", "published late, on a person's word")


def after_retry() -> ColumnElement[str]:
    """The policy of a post that a person has tried again: what is late then is meant to go."""
    late = Post.publish_at <= func.clock_timestamp() - LATE
    return case((late, LatePolicy.PUBLISH.value), else_=Post.late_policy)
