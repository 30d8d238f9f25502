"""Schedules: bulks and playlists that are published repeatedly."""

from itertools import islice
from zoneinfo import ZoneInfo

from flask import Response, request
from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from shared import db, quotas
from shared.access.visible_profiles import load_visible
from shared.domain.timing import cron
from shared.domain.timing.local_time import in_utc
from shared.errors import Conflict, FieldError, InvalidRequest
from shared.intake import targets
from shared.intake.request_rows import integrations_of
from shared.intake.targets import Target
from shared.intake.validation import Checked
from shared.models import Schedule, ScheduleRun
from shared.profiles import profile_settings
from shared.quotas import Quota
from shared.schedules import definitions
from shared.schedules.definitions import PlaylistEnded, RunContext
from shared.schedules.runs import Content
from web.api.resource import create_blueprint, problem_responses, refuse_past_approval
from web.auth import (
    PROFILE_HEADER,
    current_caller,
    current_profile,
    requested_profiles,
    require_visible_profile,
)
from web.http_layer.idempotency import Reply, answer_once, find_answer
from web.http_layer.pagination import next_cursor, page_query
from web.paths import PREFIX
from web.request_parsing import live_integrations
from web.request_parsing.live_integrations import ListNeeded
from web.schemas.common import IdPath, Page
from web.schemas.schedules import (
    FireTimes,
    FireTimesQuery,
    NewSchedule,
    PatchSchedule,
    RunReply,
    RunsQuery,
    RunView,
    SavedSchedule,
    SchedulesQuery,
    ScheduleSummary,
    ScheduleView,
)
from web.serializers.rows import location_header, new_job_view
from web.serializers.schedule_views import run_view, saved_schedule, schedule_summary, schedule_view
from web.services import current_services

api = create_blueprint(
    "schedules", "Bulks and playlists, published again and again", write="publish"
)
api.before_request(refuse_past_approval)


@api.post("/schedules", responses={201: SavedSchedule, **problem_responses(409, 422)})
def create_schedule(body: NewSchedule) -> Response:
    """Save what is published at each fire time; it is checked as bulk-publish would check it"""
    if (earlier := find_answer()) is not None:
        return earlier
    profile_id = _prepare_profile(body.profile_id, body.bulk or body.playlist)
    return answer_once(lambda session: _insert_schedule(session, profile_id, body))


def _prepare_profile(named: str | None, content: Content | None) -> str:
    """The profile, with an account whose integrations are known as well as quickly possible."""
    header = request.headers.get(PROFILE_HEADER)
    if named is not None and header not in {None, named}:
        fault = FieldError(field="profile_id", message=f"is not the profile of {PROFILE_HEADER}")
        raise InvalidRequest("The request names two profiles", fields=[fault])
    with current_services().database.transaction() as session:
        if named is None:
            named = current_profile(session)
        profile_id = profile_settings.load_profile(session, require_visible_profile(named)).id
        target = _ensure_target(session, profile_id)
    _know_integrations(profile_id, target, content)
    return profile_id


def _ensure_target(session: Session, profile_id: str) -> Target:
    ours = current_services()
    return targets.ensure_target(session, profile_id, ours.settings, ours.box)


def _know_integrations(profile_id: str, target: Target, content: Content | None) -> None:
    try:
        wanted = integrations_of(content) if content else ()
        live_integrations.require_known(profile_id, target, wanted)
    except ListNeeded:
        live_integrations.ask_now(profile_id)


def _insert_schedule(session: Session, profile_id: str, body: NewSchedule) -> Reply:
    row = Schedule(
        profile_id=profile_id,
        name=body.name,
        cron=body.cron,
        timezone=body.timezone,
        misfire_grace_seconds=body.misfire_grace_seconds,
    )
    checked = _save_content(session, row, body.bulk or body.playlist)
    _set_enabled(session, row, wanted=body.enabled, anew=True)
    session.add(row)
    session.flush()
    quotas.require_room(session, profile_id, Quota.SCHEDULES, current_services().settings)
    session.refresh(row)
    headers = {"Location": f"{PREFIX}/schedules/{row.id}"}
    return Reply(body=saved_schedule(row, checked), status=201, headers=headers)


def _save_content(session: Session, row: Schedule, content: Content | None) -> Checked | None:
    return definitions.save_content(session, row, content, _current_means()) if content else None


def _current_means() -> RunContext:
    return RunContext(settings=current_services().settings, box=current_services().box)


def _set_enabled(session: Session, row: Schedule, *, wanted: bool, anew: bool) -> None:
    """`anew`: count from now on, whatever was due. Raises `Conflict` if the playlist has ended."""
    if wanted and row.ended:
        raise PlaylistEnded
    moment = row.next_fire_at if wanted else None
    if wanted and (anew or moment is None):
        moment = definitions.next_after(row, db.read_clock(session))
    definitions.set_next_fire_at(row, moment)


@api.get("/schedules", responses={200: Page[ScheduleSummary]})
def list_schedules(query: SchedulesQuery) -> Response:
    """List schedules, without the rows that they publish"""
    wanted = page_query(select(Schedule).options(defer(Schedule.body)), Schedule.id, query)
    if query.enabled is not None:
        wanted = wanted.where(Schedule.next_fire_at.is_not(None) == query.enabled)
    with current_services().database.transaction() as session:
        own = requested_profiles(session).condition(Schedule)
        rows = session.scalars(wanted.where(own)).all()
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    page = Page[ScheduleSummary](items=[schedule_summary(row) for row in rows], next_cursor=onward)
    return Reply(body=page).response()


@api.get("/schedules/fire-times", responses={200: FireTimes})
def preview_fire_times(query: FireTimesQuery) -> Response:
    """Show when a cron expression is due next, before a schedule is saved with it"""
    with current_services().database.reading() as session:
        requested_profiles(session)  # whose name is refused here as everywhere
        now = db.read_clock(session)
    found = cron.fire_times(query.cron, ZoneInfo(query.timezone), now)
    shown = FireTimes(
        cron=query.cron, timezone=query.timezone, fire_times=list(islice(found, query.count))
    )
    return Reply(body=shown).response()


@api.get("/schedules/<id>", responses={200: ScheduleView})
def get_schedule(path: IdPath) -> Response:
    """Read a schedule"""
    with current_services().database.transaction() as session:
        row = _require_visible_schedule(session, path.id)
    return Reply(body=schedule_view(row)).response()


def _require_visible_schedule(
    session: Session, schedule_id: str, *, lock: bool = False
) -> Schedule:
    return load_visible(session, Schedule, schedule_id, current_caller().visible, lock=lock)


@api.patch("/schedules/<id>", responses={200: SavedSchedule, **problem_responses(409, 422)})
def patch_schedule(path: IdPath, body: PatchSchedule) -> Response:
    """Change a schedule; another time counts from now on"""
    content = body.bulk or body.playlist
    with current_services().database.transaction() as session:
        profile_id = _require_visible_schedule(session, path.id).profile_id
        target = _ensure_target(session, profile_id) if content else None
    if target:
        _know_integrations(profile_id, target, content)
    with current_services().database.transaction() as session:
        row = _require_visible_schedule(session, path.id, lock=True)
        if body.as_of is not None and row.updated_at > in_utc(body.as_of):
            message = "The schedule was changed since you saw it, and nothing of yours was saved"
            raise Conflict(f"{message}: read it again", code="changed_meanwhile")
        checked = _apply_changes(session, row, body, content)
        session.flush()
        session.refresh(row)
    return Reply(body=saved_schedule(row, checked)).response()


def _apply_changes(
    session: Session, row: Schedule, body: PatchSchedule, content: Content | None
) -> Checked | None:
    was_enabled = row.next_fire_at is not None
    timing_before = (row.cron, row.timezone)
    for name in {"name", "cron", "timezone", "misfire_grace_seconds"} & body.model_fields_set:
        setattr(row, name, getattr(body, name))
    checked = _save_content(session, row, content)
    stays_enabled = was_enabled and not row.ended
    wanted = stays_enabled if body.enabled is None else body.enabled
    _set_enabled(session, row, wanted=wanted, anew=timing_before != (row.cron, row.timezone))
    row.updated_at = func.now()
    return checked


@api.delete("/schedules/<id>", responses={204: None})
def delete_schedule(path: IdPath) -> Response:
    """Delete a schedule and what is known of its runs; their jobs go on"""
    with current_services().database.transaction() as session:
        session.delete(_require_visible_schedule(session, path.id, lock=True))
    return Response(status=204)


@api.post("/schedules/<id>/run", responses={202: RunReply, **problem_responses(409, 422)})
def run_schedule(path: IdPath) -> Response:
    """Publish now what the next fire time would publish, whether it is enabled or not"""
    with current_services().database.transaction() as session:
        _require_visible_schedule(session, path.id)
    return answer_once(lambda session: _run_now(session, path.id))


def _run_now(session: Session, schedule_id: str) -> Reply:
    row = _require_visible_schedule(session, schedule_id, lock=True)
    run, job, wake = definitions.run_by_hand(session, row, _current_means())
    return Reply(
        body=RunReply(run=run_view(run), job=new_job_view(session, job)),
        status=202,
        headers=location_header(job),
        afterwards=lambda: wake.send(current_services().waker),
    )


@api.get("/schedules/<id>/runs", responses={200: Page[RunView]})
def list_runs(path: IdPath, query: RunsQuery) -> Response:
    """List what became of a schedule's fire times, the newest first"""
    with current_services().database.transaction() as session:
        row = _require_visible_schedule(session, path.id)
        wanted = select(ScheduleRun).where(ScheduleRun.schedule_id == row.id)
        if query.state is not None:
            wanted = wanted.where(ScheduleRun.state == query.state)
        newest = page_query(wanted, ScheduleRun.id, query, newest=True)
        rows = session.scalars(newest).all()
    onward = next_cursor(rows, query.limit, lambda run: run.id)
    page = Page[RunView](items=[run_view(run) for run in rows], next_cursor=onward)
    return Reply(body=page).response()
