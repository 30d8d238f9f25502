"""Schedules: their content is checked when they are saved, and becomes a job at each fire time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSimError
from sqlalchemy.orm import Session

from shared import db
from shared.config import Settings
from shared.crypto import SecretBox
from shared.domain.timing import cron
from shared.domain.timing.playlist import position_after_change, select_media
from shared.errors import Conflict, Unprocessable
from shared.intake import targets, validation
from shared.intake.calendar_times import in_calendar
from shared.intake.schemas import Playlist
from shared.intake.validation import Checked, WakeUps
from shared.media import upload_queue
from shared.models import Job, Schedule, ScheduleRun
from shared.posts import occupancy
from shared.schedules import runs
from shared.schedules.runs import Content, Turn

STARTED, MISSED, FAILED, NOTHING_DUE = "started", "missed", "failed", "nothing_due"


class PlaylistEnded(Conflict):
    code = "playlist_ended"

    def __init__(self) -> None:
        super().__init__(
            "The playlist has ended: add media, or set its position, until or max_runs"
        )


class NothingDue(Conflict):
    """Not an error: a later run finds something."""

    code = NOTHING_DUE

    def __init__(self) -> None:
        super().__init__("All that is left was published on these channels within cooldown_days")


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


def set_next_fire_at(schedule: Schedule, moment: datetime | None) -> None:
    """A playlist that would fire after its `until` has ended."""
    if moment is not None and schedule.until is not None and moment > schedule.until:
        schedule.ended, moment = True, None
    schedule.next_fire_at = moment


def save_content(
    session: Session, schedule: Schedule, content: Content, context: RunContext
) -> Checked:
    """Let `schedule` publish `content` from now on. Raises what bulk-publish would raise for it."""
    runs.refuse_dates(content)
    position, length = 0, len(runs.rows_of(content))
    schedule.ended, schedule.until, schedule.runs_left = False, None, None
    if isinstance(content, Playlist):
        position = _playlist_position(schedule, content)
        schedule.ended = not content.loop and position >= length
        schedule.until, schedule.runs_left = _end_of(schedule, content), content.max_runs
    schedule.position, schedule.items = position, length
    schedule.kind = runs.kind_of(content)
    schedule.body = runs.saved_body(content)
    schedule.media_ids = runs.media_ids(content)
    due = next_after(schedule, db.read_clock(session))
    checked = _prepare_and_check(session, schedule, content, runs.whole_turn(content), due, context)
    upload_queue.mark_used(session, schedule.media_ids)
    return checked


def _end_of(schedule: Schedule, playlist: Playlist) -> datetime | None:
    """`until`, in the playlist's zone, or else the schedule's, if it names none."""
    if playlist.until is None:
        return None
    own = "timezone" in playlist.model_fields_set
    zone = playlist.timezone if own else schedule.timezone
    return in_calendar(playlist.until, zone, f"{runs.PLAYLIST}.until")


def _playlist_position(schedule: Schedule, playlist: Playlist) -> int:
    if playlist.position is not None:
        return playlist.position
    before = schedule.body["media_ids"] if schedule.kind == runs.PLAYLIST else []
    return position_after_change(schedule.position or 0, before, playlist.media_ids)


def _prepare_and_check(  # noqa: PLR0917
    session: Session,
    schedule: Schedule,
    content: Content,
    turn: Turn,
    fire_at: datetime | None,
    context: RunContext,
) -> Checked:
    now = db.read_clock(session)
    order = runs.build_order(schedule, content, turn, fire_at or now, now)
    target = targets.ensure_target(session, order.profile_id, context.settings, context.box)
    checked = validation.check_order(session, order, target, context.settings)
    validation.require_faultless(checked)
    return checked


def start_run(
    session: Session, schedule: Schedule, fire_at: datetime, context: RunContext
) -> tuple[Job, WakeUps]:
    """Accept the posts of `fire_at`; moves a playlist's position, and stops it at its end.

    Raises `NothingDue` if nothing of a playlist may be published now.
    """
    content = runs.content_of(schedule)
    zone_of(schedule)
    turn = runs.whole_turn(content)
    if isinstance(content, Playlist):
        turn = _take_turn(session, schedule, content, fire_at)
    checked = _prepare_and_check(session, schedule, content, turn, fire_at, context)
    if schedule.ended:
        schedule.next_fire_at = None
    return validation.accept_order(session, checked, context.settings)


def _take_turn(session: Session, schedule: Schedule, playlist: Playlist, fire_at: datetime) -> Turn:
    """The next media, and their channels; the schedule stands behind them then."""
    length = len(playlist.media_ids)
    if schedule.ended or (not playlist.loop and schedule.position >= length):
        raise PlaylistEnded
    cooling = _Cooling(playlist, _used_media(session, schedule, playlist, fire_at))
    found = select_media(
        schedule.position, length, per_run=playlist.per_run, loop=playlist.loop, take=cooling.take
    )
    if not found.places:
        raise NothingDue
    schedule.position, schedule.ended = found.position, found.ended
    if schedule.runs_left is not None:
        schedule.runs_left -= 1
        schedule.ended = schedule.ended or schedule.runs_left <= 0
    return {place: cooling.channels[place] for place in found.places}


class _Cooling:
    """`used`: channels and media that are not to be published together now.

    `channels`: of each medium that was taken, by its index."""

    def __init__(self, playlist: Playlist, used: set[tuple[str, int]]) -> None:
        self._playlist, self._used = playlist, used
        self.channels: dict[int, list[str]] = {}

    def take(self, place: int) -> bool:
        medium = int(self._playlist.media_ids[place])
        channels = self._playlist.integration_ids
        free = [name for name in channels if (name, medium) not in self._used]
        if free:
            self.channels[place] = free
        if self._playlist.cooldown_days:
            self._used.update((name, medium) for name in free)
        return bool(free)


def _used_media(
    session: Session, schedule: Schedule, playlist: Playlist, fire_at: datetime
) -> set[tuple[str, int]]:
    if not playlist.cooldown_days:
        return set()
    return occupancy.find_used_media(
        session,
        schedule.profile_id,
        playlist.integration_ids,
        [int(name) for name in playlist.media_ids],
        around=fire_at,
        cooldown=timedelta(days=playlist.cooldown_days),
    )


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
