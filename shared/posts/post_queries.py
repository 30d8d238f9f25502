"""Reading posts: lists by a filter, and timelines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.models import Event, Post


@dataclass(frozen=True, kw_only=True)
class PostFilter:
    """Whose posts, and which; None means any value. `since` is included, `until` is not."""

    visible: VisibleProfiles
    job_id: int | None = None
    state: str | None = None
    integration_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: Sequence[int] | None = None
    account_id: int | None = None
    error_code: str | None = None
    external_id: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        equal = {
            Post.job_id: self.job_id,
            Post.state: self.state,
            Post.integration_id: self.integration_id,
            Post.account_id: self.account_id,
            Post.error_code: self.error_code,
            Post.external_id: self.external_id,
        }
        found = [self.visible.condition(Post)]
        found += [column == value for column, value in equal.items() if value is not None]
        found += [] if self.ids is None else [Post.id.in_(self.ids)]
        found += [] if self.since is None else [Post.publish_at >= self.since]
        found += [] if self.until is None else [Post.publish_at < self.until]
        return found


def read_posts(
    session: Session, wanted: PostFilter, *, after: int | None, limit: int
) -> Sequence[Post]:
    """Posts in the order in which they were accepted, starting after id `after`."""
    query = select(Post).where(*wanted.conditions()).order_by(Post.id).limit(limit)
    if after is not None:
        query = query.where(Post.id > after)
    return session.scalars(query).all()


def read_timelines(session: Session, posts: Sequence[Post]) -> dict[int, list[Event]]:
    """The events of each post, oldest first."""
    found: dict[int, list[Event]] = {post.id: [] for post in posts}
    query = select(Event).where(Event.post_id.in_(found)).order_by(Event.id)
    for event in session.scalars(query):
        found[event.post_id].append(event)
    return found
