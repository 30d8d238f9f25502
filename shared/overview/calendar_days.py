"""The days of a calendar: how many posts each has, and the posts of days that have few.

Whatever a day holds, so many rows are read of it and no more.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
#: A day's beginning, and its end.
Span = tuple[datetime, datetime]
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
    """`number`: at most `MOST`. `posts`: the first by their times; none of a day with many."""

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
    session: Session, wanted: DayFilter, dates: Sequence[date], zone: ZoneInfo, *, shown: int = FEW
) -> list[Day]:
    """Days as a clock in `zone` has them, one after the other; cancelled posts are left out.

    `shown`: posts that are read of a day, if it has few.
    """
    midnights = [on_day(day, time(), zone) for day in (*dates, dates[-1] + timedelta(days=1))]
    spans = list(pairwise(midnights))
    bounds = _bounds_of(spans)
    numbers = _count_posts(session, bounds, _conditions(session, wanted, bounds))
    few = [span for span, number in zip(spans, numbers, strict=True) if 0 < number <= FEW]
    posts = _read_posts(session, wanted, few, shown) if few else {}
    return [
        Day(day=day, since=span[0], until=span[1], number=number, posts=posts.get(span, ()))
        for day, span, number in zip(dates, spans, numbers, strict=True)
    ]


def _read_posts(
    session: Session, wanted: DayFilter, spans: Sequence[Span], shown: int
) -> Mapping[Span, Sequence[PlannedPost]]:
    bounds = _bounds_of(spans)
    found: dict[Span, list[PlannedPost]] = defaultdict(list)
    query = _list_posts(bounds, _conditions(session, wanted, bounds), shown)
    for row in session.execute(query):
        found[spans[row.number - 1]].append(
            PlannedPost(
                id=row.id,
                channel=row.channel,
                content=row.content,
                at=row.at,
                state=PostState(row.state),
                revision=row.revision,
            )
        )
    return found


def _bounds_of(spans: Sequence[Span]) -> TableValuedAlias:
    """A row for each: `since`, `until`, and its `number` from 1 on."""
    since = literal([begin for begin, _ in spans], _MOMENTS)
    until = literal([end for _, end in spans], _MOMENTS)
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
    bounds: TableValuedAlias, which: Sequence[ColumnElement[bool]], shown: int
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
        .order_by(Post.publish_at, Post.id)
        .limit(shown)
        .lateral()
    )
    query = select(bounds.c.number, *some.c).select_from(bounds).join(some, true())
    return query.order_by(some.c.at, some.c.id)
