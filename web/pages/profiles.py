"""Profiles: made, their Postiz settings tried and saved, paused, their calendars, and deleted."""

from collections.abc import Sequence

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.errors import SecretUnreadable
from shared.models import CalendarLink, Profile
from shared.profiles import listing, profile_settings
from web.api.profiles import profile_views
from web.auth import current_caller, require_visible_profile
from web.calendar_feed.endpoints import is_ones_own
from web.pages.compose import SANDBOX_KEY
from web.pages.layout import create_reader_blueprint, show
from web.request_parsing import profile_quotas
from web.services import current_services

pages = create_reader_blueprint("profile_pages")

PROFILES = "/profiles"
#: Profiles on the page, the first by their names; calendars of one.
AT_ONCE = 200
#: Profiles that a form lets choose from by their names.
OFFERED = 60


@pages.get(PROFILES)
def show_profiles() -> Response:
    visible = current_caller().visible
    with current_services().database.transaction() as session:
        rows = listing.list_by_name(session, visible, limit=AT_ONCE)
        profiles = profile_views(session, rows)
        sources = {row.id: _source(row) for row in rows}
    return show(
        "profiles.html",
        title="Profiles",
        path=PROFILES,
        profiles=profiles,
        sources=sources,
        may_create=current_caller().may("settings") and not current_caller().is_bound,
        is_operator=current_caller().is_operator,
    )


def offer_profiles(session: Session) -> Sequence[Profile]:
    """The caller's; one more than `OFFERED` where there are more."""
    visible = current_caller().visible
    return listing.list_by_name(session, visible, limit=OFFERED + 1, deleting=False)


def _source(row: Profile) -> str:
    return str(profile_settings.source_of(row, current_services().settings))


@pages.get(f"{PROFILES}/<profile_id>")
def show_profile(profile_id: str) -> Response:
    with current_services().database.transaction() as session:
        row = profile_settings.load_profile(session, require_visible_profile(profile_id))
        [profile] = profile_views(session, [row])
        return show(
            "profile.html",
            title=profile.name,
            path=PROFILES,
            profile=profile,
            source=_source(row),
            api_url=profile_settings.api_url_of(row, current_services().settings),
            masked_key=_masked_key(row),
            sandbox_url=current_services().settings.sandbox_url,
            sandbox_key=SANDBOX_KEY,
            quotas=profile_quotas.quotas_view(session, row),
            calendars=_list_calendars(session, profile_id),
        )


def _masked_key(row: Profile) -> str:
    """Empty where there is none."""
    ours = current_services()
    try:
        found = profile_settings.credentials_of(row, ours.settings, ours.box)
    except SecretUnreadable:
        return "cannot be read: save it again"
    return profile_settings.mask_api_key(found.api_key) if found else ""


def _list_calendars(session: Session, profile_id: str) -> list[CalendarLink]:
    visible = current_caller().visible.narrowed_to(profile_id)
    query = select(CalendarLink).where(visible.condition(CalendarLink), is_ones_own())
    if visible.ids is not None:
        query = query.where(CalendarLink.profile_ids == sorted(visible.ids))
    return list(session.scalars(query.order_by(CalendarLink.id).limit(AT_ONCE)))
