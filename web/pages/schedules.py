"""Schedules: what is published again and again, made with its next fire times in view."""

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from shared.access.visible_profiles import load_visible
from shared.accounts import channel_states
from shared.models import Media, Profile, Schedule, ScheduleRun
from shared.profiles import listing, profile_settings
from web.auth import current_caller, require_scope, require_visible_profile
from web.http_layer.pagination import next_cursor, page_query
from web.pages.layout import create_reader_blueprint, requested_page, show
from web.serializers.schedule_views import run_view, schedule_summary, schedule_view
from web.services import current_services

pages = create_reader_blueprint("schedule_pages")

SCHEDULES = "/schedules"
AT_ONCE = 50
#: Profiles and media that a new schedule may be chosen from.
CHOICES = 100


@pages.get(SCHEDULES)
def show_schedules() -> Response:
    own = select(Schedule).where(current_caller().visible.condition(Schedule))
    query = page_query(own, Schedule.id, requested_page(AT_ONCE), newest=True)
    with current_services().database.transaction() as session:
        rows = session.scalars(query.options(defer(Schedule.body))).all()
        schedules = [schedule_summary(row) for row in rows]
    return show(
        "schedules.html",
        title="Schedules",
        path=SCHEDULES,
        schedules=schedules,
        cursor=next_cursor(rows, AT_ONCE, lambda row: row.id),
    )


@pages.get(f"{SCHEDULES}/new")
def show_new_schedule() -> Response:
    """First for whom; then with the channels and media of that profile."""
    require_scope("publish")
    named, visible = request.args.get("profile", ""), current_caller().visible
    with current_services().database.transaction() as session:
        profiles = listing.list_by_name(session, visible, limit=CHOICES)
        chosen = _choose_profile(session, named, [row.id for row in profiles])
        media = select(Media).where(Media.profile_id == (chosen.id if chosen else None))
        return show(
            "schedule_new.html",
            title="New schedule",
            path=SCHEDULES,
            profiles=profiles,
            chosen=chosen,
            channels=channel_states.read_shown(session, (chosen and chosen.account_id) or 0),
            media=session.scalars(media.order_by(Media.id.desc()).limit(CHOICES)).all(),
        )


def _choose_profile(session: Session, named: str, ids: list[str]) -> Profile | None:
    if named or len(ids) == 1:
        return profile_settings.load_profile(session, require_visible_profile(named or ids[0]))
    return None


@pages.get(f"{SCHEDULES}/<schedule_id>")
def show_schedule(schedule_id: str) -> Response:
    with current_services().database.transaction() as session:
        row = load_visible(session, Schedule, schedule_id, current_caller().visible)
        runs = select(ScheduleRun).where(ScheduleRun.schedule_id == row.id)
        newest = session.scalars(runs.order_by(ScheduleRun.id.desc()).limit(AT_ONCE)).all()
        return show(
            "schedule.html",
            title=row.name,
            path=SCHEDULES,
            schedule=schedule_view(row),
            runs=[run_view(run) for run in newest],
        )
