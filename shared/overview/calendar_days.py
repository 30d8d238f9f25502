"""The days of a calendar: how many posts each has, and the posts of days that have few.

Whatever a day holds, so many rows are read of it and no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Select,
    TableValuedAlias,
    column,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.domain.publishing.states import PostState
from shared.domain.timing.local_time import on_day
from shared.models import Post, Profile

#: Posts of a day that are counted; more are shown as "so many or more".
MOST = 10_000
#: Posts of a day that are read to be shown; of a day with more only the number is.
FEW = 300
_TEXT = 80
_MOMENTS = ARRAY(DateTime(timezone=True))


@dataclass(frozen=True, kw_only=True)
class PlannedPost:
    """`content`: its beginning."""

    id: int
    channel: str
    content: str
    at: datetime
    state: PostState
    revision: int


@dataclass(frozen=True, kw_only=True)
class Day:
    """`number`: at most `MOST`. `posts`: in the order of their times; none of a day with many."""

    day: date
    since: datetime
    until: datetime
    number: int
    posts: Sequence[PlannedPost]


@dataclass(frozen=True, kw_only=True)
class DayFilter:
    """Whose posts, and of which channel; None means any."""

    visible: VisibleProfiles
    integration_id: str | None = None


def read_days(
    session: Session, wanted: DayFilter, first: date, count: int, zone: ZoneInfo
) -> list[Day]:
    """Days as a clock in `zone` has them, from `first` on; cancelled posts are left out."""
    days = [first + timedelta(days=number) for number in range(count + 1)]
    midnights = [on_day(day, time(), zone) for day in days]
    bounds = _bounds_of(midnights)
    which = _conditions(session, wanted, bounds)
    numbers = _count_posts(session, bounds, which)
    few = [number <= FEW for number in numbers]
    posts: list[list[PlannedPost]] = [[] for _ in range(count)]
    for row in session.execute(_list_posts(bounds, which)):
        if few[row.number - 1]:
            posts[row.number - 1].append(
                PlannedPost(
                    id=row.id,
                    channel=row.channel,
                    content=row.content,
                    at=row.at,
                    state=PostState(row.state),
                    revision=row.revision,
                )
            )
    spans = zip(days, pairwise(midnights), numbers, posts, strict=False)
    return [
        Day(day=day, since=since, until=until, number=number, posts=shown)
        for day, (since, until), number, shown in spans
    ]


def _bounds_of(midnights: Sequence[datetime]) -> TableValuedAlias:
    """A row for each day: `since`, `until`, and its `number` from 1 on."""
    since, until = literal(midnights[:-1], _MOMENTS), literal(midnights[1:], _MOMENTS)
    moments = column("since", DateTime(timezone=True)), column("until", DateTime(timezone=True))
    named = func.unnest(since, until).table_valued(*moments, with_ordinality="number")
    return named.render_derived("days")


def _conditions(
    session: Session, wanted: DayFilter, bounds: TableValuedAlias
) -> list[ColumnElement[bool]]:
    """The profiles are named one by one, because the index of times begins with them."""
    found = [
        Post.publish_at >= bounds.c.since,
        Post.publish_at < bounds.c.until,
        Post.state != PostState.CANCELLED,
    ]
    if wanted.integration_id is not None:
        found += [Post.integration_id == wanted.integration_id, wanted.visible.condition(Post)]
        return found
    own = session.scalars(select(Profile.id).where(wanted.visible.condition(Profile))).all()
    return [*found, Post.profile_id.in_(own)]


def _count_posts(
    session: Session, bounds: TableValuedAlias, which: Sequence[ColumnElement[bool]]
) -> list[int]:
    some = select(literal(1).label("each")).where(*which).limit(MOST).lateral()
    query = select(bounds.c.number, func.count(some.c.each)).select_from(bounds)
    rows = session.execute(query.outerjoin(some, true()).group_by(bounds.c.number))
    return [number for _, number in sorted(tuple(row) for row in rows)]


def _list_posts(
    bounds: TableValuedAlias, which: Sequence[ColumnElement[bool]]
) -> Select[tuple[object, ...]]:
    some = (
        select(
            Post.id,
            func.coalesce(Post.integration_name, Post.integration_id).label("channel"),
            func.left(Post.content, _TEXT).label("content"),
            Post.publish_at.label("at"),
            Post.state,
            Post.revision,
        )
        .where(*which)
        .limit(FEW)
        .lateral()
    )
    query = select(bounds.c.number, *some.c).select_from(bounds).join(some, true())
    return query.order_by(some.c.at, some.c.id)
