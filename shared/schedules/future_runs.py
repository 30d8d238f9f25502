"""The runs that schedules will have, for a calendar; bounded, whatever their expressions say."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from shared.access.visible_profiles import VisibleProfiles
from shared.domain.timing import cron
from shared.errors import Unprocessable
from shared.models import Schedule
from shared.schedules import definitions

#: Schedules that are read, those that fire first, and fire times of each.
SCHEDULES, EACH = 50, 100


@dataclass(frozen=True, kw_only=True)
class FutureRun:
    """`kind`: bulk, playlist."""

    schedule_id: int
    name: str
    kind: str
    at: datetime


def list_future_runs(
    session: Session, visible: VisibleProfiles, since: datetime, until: datetime
) -> list[FutureRun]:
    """Of enabled schedules, in the order of their times."""
    due = Schedule.next_fire_at < until, visible.condition(Schedule)
    first = select(Schedule).options(defer(Schedule.body)).where(*due)
    schedules = session.scalars(first.order_by(Schedule.next_fire_at).limit(SCHEDULES)).all()
    found = [
        FutureRun(schedule_id=row.id, name=row.name, kind=row.kind, at=moment)
        for row in schedules
        for moment in _fire_times(row, since, until)
    ]
    return sorted(found, key=lambda run: (run.at, run.schedule_id))


def _fire_times(schedule: Schedule, since: datetime, until: datetime) -> Iterator[datetime]:
    """None of an expression that cannot be read: the schedule's page says so."""
    assert schedule.next_fire_at is not None
    ends = until if schedule.until is None else min(until, schedule.until)
    if since <= schedule.next_fire_at < ends:
        yield schedule.next_fire_at
    most = EACH if schedule.runs_left is None else min(EACH, schedule.runs_left - 1)
    try:
        with definitions.usable_cron(schedule):
            zone = definitions.zone_of(schedule)
            later = cron.fire_times(schedule.cron, zone, max(since, schedule.next_fire_at))
            yield from islice(takewhile(lambda moment: moment < ends, later), most)
    except Unprocessable:
        return
