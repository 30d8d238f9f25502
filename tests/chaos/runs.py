"""The runs of schedules: one for each minute, one job for each of them, with all its posts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from shared.models import Schedule, ScheduleRun
from tests.chaos.diary import Diary
from tests.chaos.evidence import Evidence
from tests.chaos.minds import ELSEWHERE, PAUSED
from tests.chaos.poison import SPOILED, ZONE_GONE
from tests.chaos.timetable import Timetable

MINUTE = timedelta(minutes=1)
#: A fire time so shortly before a schedule is switched off may not have been met.
MARGIN = timedelta(seconds=90)
#: A run that failed is explained by what was done to its profile so shortly before it.
LATELY = timedelta(seconds=40)
_EXCUSES = (ELSEWHERE, SPOILED, PAUSED)


def failures_of(evidence: Evidence, diary: Diary) -> Iterator[str]:
    """What is not as it should be: one run for each minute, one job for each run, all its posts."""
    timetable = evidence.timetable
    of_job = Counter(post.job_id for post in evidence.posts)
    for schedule in evidence.schedules:
        mine = [run for run in evidence.runs if run.schedule_id == schedule.id]
        if spoiled := [entry for entry in diary.of(ZONE_GONE) if schedule.id == timetable.poison]:
            since = datetime.fromtimestamp(spoiled[0].at, UTC) + MINUTE
            if any(run.fire_at >= since and run.job_id for run in mine):
                yield f"schedule {schedule.id} has no zone, and published"
            continue
        yield from _minutes(schedule, mine, timetable.closed_at)
        for run in mine:
            if run.state == "started" and of_job[run.job_id or 0] != schedule.items:
                made = of_job[run.job_id or 0]
                yield f"run {run.fire_at} of schedule {schedule.id}: {made} posts"
            if run.state != "started" and not _excused(run, timetable, diary):
                yield f"run {run.fire_at} of schedule {schedule.id}: {run.state} {run.error_code}"


def _minutes(
    schedule: Schedule, runs: Sequence[ScheduleRun], closed_at: datetime | None
) -> Iterator[str]:
    """Each minute from the first to the last one before it was switched off, once."""
    fired = Counter(run.fire_at for run in runs)
    minute = schedule.created_at.replace(second=0, microsecond=0) + MINUTE
    while closed_at and minute < closed_at - MARGIN:
        if fired[minute] != 1:
            yield f"schedule {schedule.id} at {minute}: {fired[minute]} runs"
        minute += MINUTE


def _excused(run: ScheduleRun, timetable: Timetable, diary: Diary) -> bool:
    """A profile that is paused, or whose credentials lead nowhere, fails its runs."""
    profile = timetable.schedules[run.schedule_id].profile
    for what in _EXCUSES:
        for entry in diary.of(what):
            since = run.created_at - datetime.fromtimestamp(entry.at, UTC)
            concerned = entry.detail in (profile, f"profiles/{profile}")
            if concerned and timedelta(seconds=-2) < since < LATELY:
                return True
    return False
