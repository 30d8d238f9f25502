"""Which media are needed, and by how many posts: it alone knows what refers to a medium."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, ColumnElement, Select, distinct, func, or_, select, union
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from shared.domain.publishing.states import PostState
from shared.media.post_media import edited_media, used_media, uses_any_of
from shared.models import AccountMedia, Media, Post, Schedule

#: Posts that are not over; each condition has its own index.
_OPEN: Sequence[ColumnElement[bool]] = (
    Post.state == PostState.PENDING,
    Post.state == PostState.WAITING_APPROVAL,
    Post.state == PostState.HELD,
    Post.state == PostState.STAGED,
    Post.state.in_(
        (PostState.STAGING, PostState.RELEASING, PostState.CANCELLING, PostState.RESCHEDULING)
    ),
    Post.track_at.is_not(None),
)
#: Posts that need their media: a failed one may be tried again.
_NEEDING = (*_OPEN, Post.state == PostState.FAILED)


def find_needed_ids(session: Session, ids: Collection[int]) -> set[int]:
    """The ids among `ids` that unfinished posts, uploads or schedules need."""
    if not ids:
        return set()
    return {
        media_id
        for query in _needed_media_queries(list(ids))
        for media_id in session.scalars(query)
    } & set(ids)


def is_needed(session: Session, media: Media) -> bool:
    """Whether anything that is not over needs it, so that it may not be deleted."""
    shown = or_(*(query.exists() for query in _open_posts_queries(media)))
    return bool(session.scalar(select(shown))) or bool(find_other_uses(session, [media.id]))


def count_open_posts(session: Session, media: Media) -> int:
    """How many posts that are not over show it."""
    found = union(*_open_posts_queries(media)).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


@dataclass(frozen=True, kw_only=True)
class OpenUse:
    """Of a medium: how many posts that are not over show it, and the ids of the first of them."""

    count: int
    first: Sequence[int]


def read_open_uses(session: Session, media: Sequence[Media], shown: int) -> Mapping[int, OpenUse]:
    """By the ids of those that are used; `shown`: how many posts of each are named."""
    ids = [medium.id for medium in media]
    own = Post.profile_id.in_({medium.profile_id for medium in media}), uses_any_of(ids)
    using = select(Post.id, used_media().label("media")).where(*own)
    posts = union(*(using.where(state) for state in _OPEN)).subquery()
    each = select(posts.c.id, func.unnest(posts.c.media).label("medium")).subquery()
    named = func.array_agg(distinct(each.c.id), type_=ARRAY(BigInteger))[1:shown]
    query = select(each.c.medium, func.count(distinct(each.c.id)), named)
    rows = session.execute(query.where(each.c.medium.in_(ids)).group_by(each.c.medium))
    return {medium: OpenUse(count=count, first=first) for medium, count, first in rows}


def find_other_uses(session: Session, ids: Sequence[int]) -> set[int]:
    """The ids among `ids` that uploads, waiting edits or schedules need."""
    found = {media_id for query in _other_uses(ids) for media_id in session.scalars(query)}
    return found & set(ids)


def _open_posts_queries(media: Media) -> list[Select[int]]:
    """Posts of its profile, by each of the indexes; a post may be found by two."""
    shown = select(Post.id).where(Post.profile_id == media.profile_id, uses_any_of([media.id]))
    return [shown.where(state) for state in _OPEN]


def _needed_media_queries(ids: list[int]) -> list[Select[int]]:
    used = select(func.unnest(used_media())).where(uses_any_of(ids))
    return [*_other_uses(ids), *(used.where(needing) for needing in _NEEDING)]


def _other_uses(ids: Sequence[int]) -> list[Select[int]]:
    """Media among others that uploads, waiting edits and schedules need."""
    uploads = select(AccountMedia.media_id).where(
        AccountMedia.media_id.in_(ids), AccountMedia.state.in_(("pending", "uploading"))
    )
    edits = select(func.unnest(edited_media())).where(Post.edit.is_not(None))
    playing = select(func.unnest(Schedule.media_ids)).where(Schedule.media_ids.overlap(ids))
    return [uploads, edits, playing]
