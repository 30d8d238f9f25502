"""Reading posts: lists by what is asked for, and the timeline of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.models import Event, Post


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which posts; None: whatever it is. `since` is included, `until` is not."""

    profile_ids: Sequence[str] | None
    job_id: int | None = None
    state: str | None = None
    integration_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def listed(session: Session, wanted: Wanted, *, after: int | None, limit: int) -> Sequence[Post]:
    """In the order in which they were accepted, behind the one with id `after`."""
    query = select(Post).order_by(Post.id).limit(limit)
    if wanted.profile_ids is not None:
        query = query.where(Post.profile_id.in_(wanted.profile_ids))
    equal = {
        Post.job_id: wanted.job_id,
        Post.state: wanted.state,
        Post.integration_id: wanted.integration_id,
    }
    query = query.where(*(column == value for column, value in equal.items() if value is not None))
    if wanted.since is not None:
        query = query.where(Post.publish_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(Post.publish_at < wanted.until)
    if after is not None:
        query = query.where(Post.id > after)
    return session.scalars(query).all()


def timelines(session: Session, posts: Sequence[Post]) -> dict[int, list[Event]]:
    """The events of each post, oldest first."""
    found: dict[int, list[Event]] = {post.id: [] for post in posts}
    query = select(Event).where(Event.post_id.in_(found)).order_by(Event.id)
    for event in session.scalars(query):
        found[event.post_id].append(event)
    return found
