"""Posts as the Postiz-compatible front asks for them: by their time, by their end, by channel."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.domain.publishing.states import PostState
from shared.models import Post

#: As many of a profile's ended posts are looked at, the newest first.
ENDED = 10_000
_GONE = (PostState.CANCELLING, PostState.CANCELLED)


def read_window(
    session: Session,
    profile_id: str,
    channel_ids: Collection[str],
    start: datetime,
    end: datetime,
    *,
    limit: int,
) -> Sequence[Post]:
    """Of these channels, from `start` to `end`, both included; without those that are cancelled."""
    query = select(Post).where(
        Post.profile_id == profile_id,
        Post.integration_id.in_(channel_ids),
        Post.publish_at.between(start, end),
        Post.state.not_in(_GONE),
    )
    return session.scalars(query.order_by(Post.publish_at, Post.id).limit(limit)).all()


def read_ended(
    session: Session, profile_id: str, *, offset: int, limit: int
) -> tuple[int, Sequence[Post]]:
    """How many there are, of at most `ENDED`, and a page of them by when they ended."""
    ended = (PostState.PUBLISHED, PostState.FAILED)
    of_profile = Post.profile_id == profile_id, Post.state.in_(ended)
    newest = select(Post.id).where(*of_profile).order_by(Post.id.desc()).limit(ENDED).subquery()
    at = func.coalesce(Post.published_at, Post.error_at, Post.updated_at)
    query = select(Post).join(newest, newest.c.id == Post.id).order_by(at.desc(), Post.id.desc())
    total = session.scalar(select(func.count()).select_from(newest)) or 0
    return total, session.scalars(query.offset(offset).limit(limit)).all()


def read_taken_minutes(
    session: Session, profile_id: str, channel_id: str, start: datetime, end: datetime
) -> set[datetime]:
    """The minutes in which the channel has a post of the profile."""
    minute = func.date_trunc("minute", Post.publish_at)
    query = select(minute).where(
        Post.profile_id == profile_id,
        Post.integration_id == channel_id,
        Post.publish_at.between(start, end),
        Post.state.not_in((*_GONE, PostState.FAILED)),
    )
    return set(session.scalars(query.distinct()))
