"""Fire: runs due schedules, each fire time once, even if several beats are running.

A worker locks the schedule's row. The run, its job and the next fire time are written in one
transaction: after a crash there are all of them or none.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from shared import db, failpoints, metrics
from shared.containment import Fate, contain_failures
from shared.crypto import SecretBox
from shared.db import Database
from shared.domain.timing import fire_times
from shared.domain.timing.fire_times import Missed
from shared.errors import Conflict, PressroomError, RequestError
from shared.intake.validation import WakeUps
from shared.log import get_logger
from shared.models import Schedule, ScheduleRun
from shared.profiles import profile_settings
from shared.schedules import definitions
from shared.schedules.definitions import (
    FAILED,
    MISSED,
    NOTHING_DUE,
    STARTED,
    NothingDue,
    RunContext,
)
from worker.round_steps import brief_transaction
from worker.runtime import Runtime

#: How long to fire schedules in one task; the next tick continues (seconds).
SLICE_SECONDS = 1.0
#: Maximum faults in the error message of a failed run.
_MAX_FAULTS = 10
_INTERNAL_ERROR = "Something went wrong on our side. It has been logged"

log = get_logger("fire")


@dataclass(frozen=True, kw_only=True)
class Fired:
    """A schedule that was due. `wake`: wake-ups for its job, if it has one. `waits`: nothing was
    done, because another transaction has locked a row that it needs."""

    schedule_id: int
    wake: WakeUps | None = None
    is_blocked: bool = False


def due_schedules_query() -> Select[Schedule]:
    return select(Schedule).where(is_due())


def is_due() -> ColumnElement[bool]:
    return Schedule.next_fire_at <= func.now()


def fire_due(runtime: Runtime) -> None:
    """Run every second. Each account is woken once, however many of its schedules fired."""
    context = RunContext(settings=runtime.settings, box=SecretBox.from_settings(runtime.settings))
    until = time.monotonic() + SLICE_SECONDS
    uploads: dict[int, list[int]] = defaultdict(list)
    for fired in _fire_in_turn(runtime, context, until):
        if fired.wake:
            uploads[fired.wake.account_id] += fired.wake.uploads
    for account_id, media in uploads.items():
        WakeUps(account_id=account_id, uploads=media).send(runtime.waker)


def _fire_in_turn(runtime: Runtime, context: RunContext, until: float) -> Iterator[Fired]:
    """One of each profile after the other, first of the profile whose turn is longest ago.

    So the many or long runs of one profile, or those that wait for a lock, delay no other's.
    """
    blocked: set[int] = set()
    went_on = True
    while went_on:
        went_on = False
        for profile_id in _find_turns(runtime, blocked):
            if time.monotonic() >= until:
                return
            runtime.last_fires[profile_id] = time.monotonic()
            fired = fire_next(runtime.database, context, blocked, profile_id)
            if fired is None:
                continue  # another process has it
            went_on = True
            if fired.is_blocked:
                blocked.add(fired.schedule_id)
            yield fired


def _find_turns(runtime: Runtime, skipped_ids: Collection[int]) -> list[str]:
    """Profiles with due schedules."""
    first = func.min(Schedule.next_fire_at).label("first")
    due = select(Schedule.profile_id, first).where(is_due(), Schedule.id.not_in(skipped_ids))
    with runtime.database.transaction() as session:
        rows = session.execute(due.group_by(Schedule.profile_id).order_by(first)).all()
    last = runtime.last_fires
    return sorted((row.profile_id for row in rows), key=lambda each: last.get(each, 0.0))


def fire_next(
    database: Database,
    context: RunContext,
    skipped_ids: Collection[int] = (),
    profile_id: str | None = None,
) -> Fired | None:
    """Handle the fire time that has waited longest, of the profile or of all; None if none is
    due."""
    with brief_transaction(database) as session:
        schedule = _claim_schedule(session, skipped_ids, profile_id)
        if schedule is None:
            return None
        fired = _fire_schedule(session, schedule, context)
        session.flush()
        failpoints.hit("fire.before_commit")
    failpoints.hit("fire.after_commit")
    return fired


def _claim_schedule(
    session: Session, skipped_ids: Collection[int] = (), profile_id: str | None = None
) -> Schedule | None:
    due = due_schedules_query().where(Schedule.id.not_in(skipped_ids))
    if profile_id is not None:
        due = due.where(Schedule.profile_id == profile_id)
    first = due.order_by(Schedule.next_fire_at).limit(1)
    return session.scalar(first.with_for_update(key_share=True, skip_locked=True))


def _fire_schedule(session: Session, schedule: Schedule, context: RunContext) -> Fired:
    with _contain_schedule_error(session, schedule) as fate:
        wake = _handle_fire_time(session, schedule, context)
        return Fired(schedule_id=schedule.id, wake=wake)
    return Fired(schedule_id=schedule.id, is_blocked=fate.may_pass)


@contextmanager
def _contain_schedule_error(session: Session, schedule: Schedule) -> Iterator[Fate]:
    """An error of a schedule records its fire time as failed and switches the schedule off.

    Its next fire time cannot be computed, so nothing else is possible. A row that is locked by
    somebody else is no error of the schedule.
    """
    fire_at = schedule.next_fire_at
    with contain_failures("fire_schedule", schedule=schedule.id) as fate, session.begin_nested():
        yield fate
    if fate.error is None or fate.may_pass:
        return
    code, message = "internal_error", _INTERNAL_ERROR
    if isinstance(fate.error, PressroomError):
        code, message = fate.error.code, _describe_error(fate.error)
    assert fire_at is not None  # it was due
    if run := _record_run_start(session, schedule, fire_at):
        _mark_run_failed(run, code, f"{message}. The schedule was switched off")
    schedule.next_fire_at = None


def _handle_fire_time(session: Session, schedule: Schedule, context: RunContext) -> WakeUps | None:
    """Record missed fire times, run the one that is due, and set the next one."""
    due = _find_due_fire_times(session, schedule, timedelta(seconds=schedule.misfire_grace_seconds))
    _record_missed(session, schedule, due.missed)
    schedule.next_fire_at = due.next_at
    run = due.fire_at and _record_run_start(session, schedule, due.fire_at)
    wake = _start_run(session, schedule, run, context) if run else None
    if not schedule.ended:  # only now: the last fire time before its end is still due
        definitions.set_next_fire_at(schedule, schedule.next_fire_at)
    return wake


def skip_due_fire_times(session: Session) -> int:
    """After a restore: fire times until now may have run already, so they are recorded as missed.

    Returns the number of schedules.
    """
    schedules = session.scalars(due_schedules_query().with_for_update(key_share=True)).all()
    for schedule in schedules:
        with _contain_schedule_error(session, schedule):
            due = _find_due_fire_times(session, schedule, timedelta(0))
            _record_missed(session, schedule, due.missed, "An older backup was restored")
            schedule.next_fire_at = due.next_at
    return len(schedules)


def _find_due_fire_times(
    session: Session, schedule: Schedule, grace: timedelta
) -> fire_times.DueTimes:
    """The fire times of a schedule that is due."""
    assert schedule.next_fire_at is not None
    with definitions.usable_cron(schedule):
        return fire_times.find_due_times(
            schedule.cron,
            definitions.zone_of(schedule),
            since=schedule.next_fire_at,
            now=db.read_clock(session),
            grace=grace,
        )


def _record_missed(
    session: Session, schedule: Schedule, missed: Sequence[Missed], why: str | None = None
) -> None:
    message = f"Nothing ran within {schedule.misfire_grace_seconds} s (misfire_grace_seconds)"
    rows = [
        {
            "schedule_id": schedule.id,
            "fire_at": missed_span.first,
            "state": MISSED,
            "fire_times": missed_span.times,
            "until": None if missed_span.times == 1 else missed_span.until,
            "error_code": MISSED,
            "error_message": why or message,
        }
        for missed_span in missed
    ]
    if rows:
        session.execute(insert(ScheduleRun).values(rows).on_conflict_do_nothing())


def _record_run_start(
    session: Session, schedule: Schedule, fire_at: datetime
) -> ScheduleRun | None:
    """Record the run of this fire time as started; None if it was handled before."""
    row = {"schedule_id": schedule.id, "fire_at": fire_at, "state": STARTED, "fire_times": 1}
    run_insert = insert(ScheduleRun).values(row).on_conflict_do_nothing().returning(ScheduleRun)
    return session.scalar(run_insert)


def _start_run(
    session: Session, schedule: Schedule, run: ScheduleRun, context: RunContext
) -> WakeUps | None:
    try:
        with session.begin_nested():
            _refuse_paused(session, schedule)
            job, wake = definitions.start_run(session, schedule, run.fire_at, context)
    except NothingDue as error:
        run.state, run.error_code, run.error_message = NOTHING_DUE, error.code, error.message
        return None
    except PressroomError as error:
        log.warning("a schedule did not run", schedule=schedule.id, reason=error.code)
        _mark_run_failed(run, error.code, _describe_error(error))
        return None
    except (OperationalError, InterfaceError):
        raise  # the database failed: all of this is rolled back and done again
    except Exception:  # a defect with one schedule must not stop the others
        log.exception("a schedule could not run", schedule=schedule.id)
        metrics.CONTAINED.labels("start_schedule").inc()
        _mark_run_failed(run, "internal_error", f"{_INTERNAL_ERROR}.")
        return None
    run.job_id = job.id
    return wake


def _refuse_paused(session: Session, schedule: Schedule) -> None:
    if profile_settings.load_profile(session, schedule.profile_id).paused:
        raise Conflict("The profile was paused", code="profile_paused")


def _mark_run_failed(run: ScheduleRun, code: str, message: str) -> None:
    run.state, run.error_code, run.error_message = FAILED, code, message


def _describe_error(error: PressroomError) -> str:
    faults = error.fields[:_MAX_FAULTS] if isinstance(error, RequestError) else ()
    details = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
    return f"{error.message}: {details}" if details else error.message
