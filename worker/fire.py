"""Fire: run what is due of the schedules, each fire time once, however many clocks there are.

Who holds a schedule's row decides about its next fire time, alone. The run, its job and the step to
the fire time after it are one transaction: a crash leaves nothing of them, or everything.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from shared import failpoints, profiles, schedules
from shared.crypto import SecretBox
from shared.db import Database
from shared.domain import firing
from shared.domain.firing import Missed
from shared.errors import Conflict, PressroomError, RequestError
from shared.log import get_logger
from shared.models import Schedule, ScheduleRun
from shared.orders import WakeUps
from shared.schedules import FAILED, MISSED, STARTED, Means
from worker.runtime import Runtime

#: After so long the rest is left to the next tick, and this child to its other work (seconds).
TURN = 1.0
#: So many of the faults of a failed run are told.
_TOLD = 10

log = get_logger("fire")


@dataclass(frozen=True, kw_only=True)
class Fired:
    """A schedule that was due. `wake`: what its job needs, if it came to one."""

    wake: WakeUps | None


def fire_due(runtime: Runtime) -> None:
    """Every second. An account is woken once, however many schedules it has."""
    means = Means(settings=runtime.settings, box=SecretBox.from_settings(runtime.settings))
    until = time.monotonic() + TURN
    uploads: dict[int, list[int]] = defaultdict(list)
    while time.monotonic() < until and (fired := fire_next(runtime.database, means)):
        if fired.wake:
            uploads[fired.wake.account_id] += fired.wake.uploads
    for account_id, waiting in uploads.items():
        WakeUps(account_id=account_id, uploads=waiting).send(runtime.waker)


def fire_next(database: Database, means: Means) -> Fired | None:
    """Deal with the fire time that waits longest; None where none is due."""
    with database.transaction() as session:
        schedule = _claim(session)
        if schedule is None:
            return None
        fired = Fired(wake=_deal(session, schedule, means))
        session.flush()
        failpoints.hit("fire.before_commit")
    failpoints.hit("fire.after_commit")
    return fired


def _claim(session: Session) -> Schedule | None:
    due = select(Schedule).where(Schedule.next_fire_at <= func.now())
    first = due.order_by(Schedule.next_fire_at).limit(1)
    return session.scalar(first.with_for_update(key_share=True, skip_locked=True))


def _deal(session: Session, schedule: Schedule, means: Means) -> WakeUps | None:
    """Record what was missed, run what is due next, and go on to the fire time after it."""
    due = _due(session, schedule, timedelta(seconds=schedule.misfire_grace_seconds))
    _record_missed(session, schedule, due.missed)
    schedule.next_fire_at = due.next_at
    run = due.fire_at and _first_run(session, schedule, due.fire_at)
    return _start(session, schedule, run, means) if run else None


def pass_over(session: Session) -> int:
    """After a restore: what was due until now may have run, so nothing of it runs; how many."""
    due_now = select(Schedule).where(Schedule.next_fire_at <= func.now())
    late = session.scalars(due_now.with_for_update(key_share=True)).all()
    for schedule in late:
        due = _due(session, schedule, timedelta(0))
        _record_missed(session, schedule, due.missed, "An older backup was restored")
        schedule.next_fire_at = due.next_at
    return len(late)


def _due(session: Session, schedule: Schedule, grace: timedelta) -> firing.Due:
    """Of a schedule that was chosen because a fire time of it has come."""
    assert schedule.next_fire_at is not None
    return firing.due(
        schedule.cron,
        ZoneInfo(schedule.timezone),
        since=schedule.next_fire_at,
        now=schedules.clock(session),
        grace=grace,
    )


def _record_missed(
    session: Session, schedule: Schedule, missed: Sequence[Missed], why: str | None = None
) -> None:
    words = f"Nothing ran within {schedule.misfire_grace_seconds} s (misfire_grace_seconds)"
    rows = [
        {
            "schedule_id": schedule.id,
            "fire_at": each.first,
            "state": MISSED,
            "fire_times": each.times,
            "until": None if each.times == 1 else each.until,
            "error_code": MISSED,
            "error_message": why or words,
        }
        for each in missed
    ]
    if rows:
        session.execute(insert(ScheduleRun).values(rows).on_conflict_do_nothing())


def _first_run(session: Session, schedule: Schedule, fire_at: datetime) -> ScheduleRun | None:
    """The run of this fire time, noted as started, unless somebody has dealt with it before."""
    row = {"schedule_id": schedule.id, "fire_at": fire_at, "state": STARTED, "fire_times": 1}
    made = insert(ScheduleRun).values(row).on_conflict_do_nothing().returning(ScheduleRun)
    return session.scalar(made)


def _start(session: Session, schedule: Schedule, run: ScheduleRun, means: Means) -> WakeUps | None:
    try:
        with session.begin_nested():
            _refuse_paused(session, schedule)
            job, wake = schedules.start(session, schedule, run.fire_at, means)
    except PressroomError as error:
        log.warning("a schedule did not run", schedule=schedule.id, reason=error.code)
        _fail(run, error.code, _words(error))
        return None
    except (OperationalError, InterfaceError):
        raise  # the database's: nothing of this has happened, and all of it is done again
    except Exception:  # a fault of ours with one schedule may not keep the others from running
        log.exception("a schedule could not run", schedule=schedule.id)
        _fail(run, "internal_error", "Something went wrong on our side. It has been logged.")
        return None
    run.job_id = job.id
    return wake


def _refuse_paused(session: Session, schedule: Schedule) -> None:
    if profiles.get(session, schedule.profile_id).paused:
        raise Conflict("The profile was paused", code="profile_paused")


def _fail(run: ScheduleRun, code: str, message: str) -> None:
    run.state, run.error_code, run.error_message = FAILED, code, message


def _words(error: PressroomError) -> str:
    faults = error.fields[:_TOLD] if isinstance(error, RequestError) else ()
    told = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
    return f"{error.message}: {told}" if told else error.message
