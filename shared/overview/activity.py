"""What was published in the last 24 hours, and how late: hour by hour, bounded for each hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import DateTime, Integer, column, func, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from shared import db
from shared.access.visible_profiles import VisibleProfiles
from shared.models import Post, Profile

HOURS = 24
#: Posts of an hour that are read; more are shown as "so many or more".
MOST = 2000
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Hour:
    """`usual`, `worst`: the median and the longest time that its posts were late, in seconds."""

    since: datetime
    published: int
    usual: float
    worst: float


def read_hours(session: Session, visible: VisibleProfiles) -> list[Hour]:
    """The last 24 whole hours and the one that has begun, the oldest first."""
    now = db.read_clock(session)
    last = now.replace(minute=0, second=0, microsecond=0)
    starts = [last - number * _HOUR for number in range(HOURS, -1, -1)]
    hours = (
        func.unnest(literal(starts, ARRAY(DateTime(timezone=True))))
        .table_valued(column("since", DateTime(timezone=True)))
        .render_derived("hours")
    )
    own = select(Profile.account_id).where(visible.condition(Profile))
    accounts = session.scalars(own.where(Profile.account_id.is_not(None)).distinct()).all()
    late = func.greatest(0, func.extract("epoch", Post.published_at - Post.publish_at))
    some = (
        select(late.label("late"))
        .where(
            Post.account_id.in_(accounts),
            Post.published_at >= hours.c.since,
            Post.published_at < hours.c.since + _HOUR,
            visible.condition(Post),
        )
        .limit(MOST)
        .lateral()
    )
    usual = func.percentile_cont(0.5).within_group(some.c.late)
    columns = hours.c.since, func.count(some.c.late, type_=Integer), usual, func.max(some.c.late)
    query = select(*columns).select_from(hours).outerjoin(some, true())
    rows = session.execute(query.group_by(hours.c.since).order_by(hours.c.since)).all()
    return [
        Hour(since=since, published=published, usual=float(usual or 0), worst=float(worst or 0))
        for since, published, usual, worst in rows
    ]


def count_published(hours: Sequence[Hour]) -> int:
    return sum(hour.published for hour in hours)
