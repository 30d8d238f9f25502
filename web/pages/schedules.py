"""Schedules: what is published again and again, made with its next fire times in view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from shared.access.visible_profiles import load_visible
from shared.accounts import channel_states
from shared.models import Integration, Media, Profile, Schedule, ScheduleRun
from shared.models.base import is_id
from shared.profiles import listing, profile_settings
from shared.schedules import runs
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


#: Of a playlist those that the form shows; it sends the others as they are.
FIELDS = frozenset(
    {
        "media_ids",
        "integration_ids",
        "caption",
        "per_run",
        "loop",
        "until",
        "max_runs",
        "cooldown_days",
    }
)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a playlist's form begins with. `until`: on the clock of `zone`, empty for a new one."""

    channels: Sequence[str] = ()
    media: Sequence[str] = ()
    until: str = ""
    zone: str = ""
    runs_left: str = ""
    other: Mapping[str, Any] = field(default_factory=dict)


@pages.get(SCHEDULES)
def show_schedules() -> Response:
    own = select(Schedule).where(current_caller().visible.condition(Schedule))
    query = page_query(own, Schedule.id, requested_page(AT_ONCE), newest=True)
    with current_services().database.transaction() as session:
        rows = session.scalars(query.options(defer(Schedule.body))).all()
        schedules = [schedule_summary(row) for row in rows]
        names = listing.names_of(session, (row.profile_id for row in rows))
    return show(
        "schedules.html",
        title="Schedules",
        path=SCHEDULES,
        schedules=schedules,
        names=names,
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
        return show(
            "schedule_new.html",
            title="New schedule",
            path=SCHEDULES,
            profiles=profiles,
            chosen=chosen,
            channels=channel_states.read_shown(session, (chosen and chosen.account_id) or 0),
            media=_list_media(session, chosen.id)[::-1] if chosen else (),
            playlist={},
            kept=Kept(),
        )


def _list_media(session: Session, profile_id: str) -> Sequence[Media]:
    """The newest first."""
    own = select(Media).where(Media.profile_id == profile_id, Media.removed_at.is_(None))
    return session.scalars(own.order_by(Media.id.desc()).limit(CHOICES)).all()


def _choose_profile(session: Session, named: str, ids: list[str]) -> Profile | None:
    if named or len(ids) == 1:
        return profile_settings.load_profile(session, require_visible_profile(named or ids[0]))
    return None


@pages.get(f"{SCHEDULES}/<schedule_id>")
def show_schedule(schedule_id: str) -> Response:
    with current_services().database.transaction() as session:
        row = load_visible(session, Schedule, schedule_id, current_caller().visible)
        own_runs = select(ScheduleRun).where(ScheduleRun.schedule_id == row.id)
        newest = session.scalars(own_runs.order_by(ScheduleRun.id.desc()).limit(AT_ONCE)).all()
        kept = _read_playlist(row) if current_caller().may("publish") else None
        return show(
            "schedule.html",
            title=row.name,
            path=SCHEDULES,
            schedule=schedule_view(row),
            names=listing.names_of(session, [row.profile_id]),
            runs=[run_view(run) for run in newest],
            kept=kept,
            channels=_list_channels(session, row.profile_id) if kept else (),
            media=_list_choices(session, row.profile_id, kept.media) if kept else (),
        )


def _read_playlist(row: Schedule) -> Kept | None:
    """None for a bulk, and for a playlist with more media than a form shows."""
    body = row.body
    if row.kind != runs.PLAYLIST or len(body["media_ids"]) > CHOICES:
        return None
    zone = body.get("timezone") or row.timezone
    until = "" if row.until is None else f"{row.until.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"
    return Kept(
        channels=body["integration_ids"],
        media=body["media_ids"],
        until=until,
        zone=zone,
        runs_left="" if row.runs_left is None else str(row.runs_left),
        other={name: value for name, value in body.items() if name not in FIELDS},
    )


def _list_channels(session: Session, profile_id: str) -> Sequence[Integration]:
    account_id = session.get_one(Profile, profile_id).account_id
    return channel_states.read_shown(session, account_id or 0)


def _list_choices(session: Session, profile_id: str, kept: Sequence[str]) -> Sequence[Media]:
    """Those of the playlist in its order, then the newest others."""
    others = {str(row.id): row for row in _list_media(session, profile_id)}
    own = Media.id.in_([int(name) for name in kept if is_id(name)]), Media.profile_id == profile_id
    known = {str(row.id): row for row in session.scalars(select(Media).where(*own))}
    found = [known[name] for name in kept if name in known]
    return [*found, *(row for name, row in others.items() if name not in known)]
