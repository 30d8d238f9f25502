"""Schedules: their content is checked when they are saved, and becomes a job at each fire time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSimError
from sqlalchemy.orm import Session

from shared import db
from shared.config import Settings
from shared.crypto import SecretBox
from shared.domain.timing import cron
from shared.domain.timing.playlist import Selection, position_after_change, select_media
from shared.errors import Conflict, Unprocessable
from shared.intake import targets, validation
from shared.intake.schemas import Playlist
from shared.intake.validation import Checked, WakeUps
from shared.media import upload_queue
from shared.models import Job, Schedule, ScheduleRun
from shared.schedules import runs
from shared.schedules.runs import Content

STARTED, MISSED, FAILED = "started", "missed", "failed"


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What accepting a job needs besides the database."""

    settings: Settings
    box: SecretBox


def zone_of(schedule: Schedule) -> ZoneInfo:
    """Raises `Unprocessable` for an unknown time zone; the list of known zones may change."""
    try:
        return ZoneInfo(schedule.timezone)
    except (KeyError, ValueError, OSError) as error:
        message = f"There is no time zone {schedule.timezone!r}: save the schedule with another one"
        raise Unprocessable(message, code="unknown_timezone") from error


@contextmanager
def usable_cron(schedule: Schedule) -> Iterator[None]:
    """Turns errors of the cron expression into `Unprocessable`."""
    try:
        yield
    except CronSimError as error:
        message = f"{schedule.cron!r} is no cron expression: save the schedule with another one"
        raise Unprocessable(message, code="malformed_cron") from error


def next_after(schedule: Schedule, moment: datetime) -> datetime | None:
    """Raises `Unprocessable` for an expression that only an earlier version accepted."""
    with usable_cron(schedule):
        return cron.first_after(schedule.cron, zone_of(schedule), moment)


def save_content(
    session: Session, schedule: Schedule, content: Content, context: RunContext
) -> Checked:
    """Let `schedule` publish `content` from now on. Raises what bulk-publish would raise for it."""
    runs.refuse_dates(content)
    position, length = 0, len(runs.rows_of(content))
    if isinstance(content, Playlist):
        position = _playlist_position(schedule, content)
        schedule.ended = not content.loop and position >= length
    else:
        schedule.ended = False
    schedule.position, schedule.items = position, length
    schedule.kind = runs.kind_of(content)
    schedule.body = runs.saved_body(content)
    schedule.media_ids = runs.media_ids(content)
    due = next_after(schedule, db.read_clock(session))
    checked = _prepare_and_check(session, schedule, content, range(length), due, context)
    upload_queue.mark_used(session, schedule.media_ids)
    return checked


def _playlist_position(schedule: Schedule, playlist: Playlist) -> int:
    if playlist.position is not None:
        return playlist.position
    before = schedule.body["media_ids"] if schedule.kind == runs.PLAYLIST else []
    return position_after_change(schedule.position or 0, before, playlist.media_ids)


def _prepare_and_check(  # noqa: PLR0917
    session: Session,
    schedule: Schedule,
    content: Content,
    places: Sequence[int],
    fire_at: datetime | None,
    context: RunContext,
) -> Checked:
    now = db.read_clock(session)
    order = runs.build_order(schedule, content, places, fire_at or now, now)
    target = targets.ensure_target(session, order.profile_id, context.settings, context.box)
    checked = validation.check_order(session, order, target, context.settings)
    validation.require_faultless(checked)
    return checked


def start_run(
    session: Session, schedule: Schedule, fire_at: datetime, context: RunContext
) -> tuple[Job, WakeUps]:
    """Accept the posts of `fire_at`; moves a playlist's position, and stops it at its end."""
    content = runs.content_of(schedule)
    zone_of(schedule)
    places: Sequence[int] = range(schedule.items)
    turn = _playlist_turn(schedule, content) if isinstance(content, Playlist) else None
    if turn:
        places = turn.places
    checked = _prepare_and_check(session, schedule, content, places, fire_at, context)
    if turn:
        schedule.position = turn.position
    if turn and turn.ended:
        schedule.ended, schedule.next_fire_at = True, None
    return validation.accept_order(session, checked, context.settings)


def _playlist_turn(schedule: Schedule, playlist: Playlist) -> Selection:
    length = len(playlist.media_ids)
    found = select_media(schedule.position, length, per_run=playlist.per_run, loop=playlist.loop)
    if not found.places:
        raise Conflict(
            "The playlist has been played to its end: add media, or set its position",
            code="playlist_ended",
        )
    return found


def run_by_hand(
    session: Session, schedule: Schedule, context: RunContext
) -> tuple[ScheduleRun, Job, WakeUps]:
    """Run now, as at a fire time. Errors are raised and not recorded."""
    now = db.read_clock(session)
    job, wake = start_run(session, schedule, now, context)
    run = ScheduleRun(schedule_id=schedule.id, fire_at=now, state=STARTED, by_hand=True)
    run.fire_times, run.job_id = 1, job.id
    session.add(run)
    session.flush()
    session.refresh(run)
    return run, job, wake
