"""Reading posts: lists by a filter, and timelines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.models import Event, Post

#: Posts whose text one search reads.
LOOKED_AT = 5000


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


def read_newest_posts(
    session: Session, wanted: PostFilter, *, before: int | None, limit: int
) -> Sequence[Post]:
    """Those that were accepted last come first, from below id `before`."""
    query = select(Post).where(*wanted.conditions()).order_by(Post.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Post.id < before)
    return session.scalars(query).all()


@dataclass(frozen=True, kw_only=True)
class Found:
    """Posts with the words, the newest first. `behind`: the last post that was looked at, if there
    are older ones."""

    posts: Sequence[Post]
    behind: int | None


def search_newest_posts(
    session: Session, wanted: PostFilter, words: str, *, before: int | None, limit: int
) -> Found:
    """Looks at `LOOKED_AT` posts at most, whatever it finds: the reader goes on from there."""
    newest = select(Post.id, Post.content).where(*wanted.conditions())
    if before is not None:
        newest = newest.where(Post.id < before)
    looked_at = newest.order_by(Post.id.desc()).limit(LOOKED_AT).subquery()
    matches = looked_at.c.content.icontains(words, autoescape=True)
    ids = func.array_agg(aggregate_order_by(looked_at.c.id, looked_at.c.id.desc())).filter(matches)
    # in one statement: they are found by looking through many posts of others
    query = select(func.count(), func.min(looked_at.c.id), ids)
    number, last, matching = session.execute(query).one()
    found = (matching or [])[:limit]
    rows = session.scalars(select(Post).where(Post.id.in_(found)).order_by(Post.id.desc())).all()
    if len(found) == limit:
        return Found(posts=rows, behind=found[-1])
    return Found(posts=rows, behind=last if number == LOOKED_AT else None)


def read_timelines(session: Session, posts: Sequence[Post]) -> dict[int, list[Event]]:
    """The events of each post, oldest first."""
    found: dict[int, list[Event]] = {post.id: [] for post in posts}
    query = select(Event).where(Event.post_id.in_(found)).order_by(Event.id)
    for event in session.scalars(query):
        found[event.post_id].append(event)
    return found
