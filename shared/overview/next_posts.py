"""What goes out next: read through the indexes of due posts, profile by profile."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.access.visible_profiles import VisibleProfiles
from shared.domain.publishing.handoff import CALENDAR
from shared.domain.publishing.states import PostState
from shared.models import Post, Profile

#: Posts that are to go out: the column by which an index has them in order, and which they are.
#: What stands in Postiz's calendar goes out at its time.
_ORDERED: Sequence[tuple[InstrumentedAttribute[object], Sequence[ColumnElement[bool]]]] = (
    (Post.publish_at, (Post.state == PostState.PENDING, Post.waits_for == "")),
    (Post.release_at, (Post.state == PostState.STAGED, Post.waits_for == "")),
    (
        Post.publish_at,
        (
            Post.state == PostState.SCHEDULED,
            Post.handoff == CALENDAR,
            Post.publish_at > func.now(),
        ),
    ),
)
#: Profiles that are looked at, the first by their ids.
_PROFILES = 200


def list_next_posts(session: Session, visible: VisibleProfiles, *, limit: int) -> Sequence[Post]:
    """The posts that are due first, of those that wait for nothing but their time."""
    ids = [
        post_id
        for moment, which in _ORDERED
        for post_id in session.scalars(_first_ids(visible, moment, which, limit))
    ]
    posts = session.scalars(select(Post).where(Post.id.in_(ids))).all()
    return sorted(posts, key=lambda post: (post.publish_at, post.id))[:limit]


def _first_ids(
    visible: VisibleProfiles,
    moment: InstrumentedAttribute[object],
    which: Sequence[ColumnElement[bool]],
    limit: int,
) -> Select[int]:
    profiles = (
        select(Profile.id, Profile.account_id)
        .where(visible.condition(Profile), Profile.account_id.is_not(None))
        .order_by(Profile.id)
        .limit(_PROFILES)
        .subquery()
    )
    own = Post.profile_id == profiles.c.id, Post.account_id == profiles.c.account_id
    first = (
        select(Post.id, moment.label("moment"))
        .where(*own, *which)
        .order_by(moment)
        .limit(limit)
        .lateral()
    )
    return (
        select(first.c.id)
        .select_from(profiles)
        .join(first, true())
        .order_by(first.c.moment)
        .limit(limit)
    )
