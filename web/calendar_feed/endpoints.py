"""Links to a calendar of posts: made, listed, and ended."""

from flask import Response, request
from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import Session

from shared.access.visible_profiles import keep_visible_profiles, load_visible
from shared.calendar_feed import links
from shared.models import CalendarLink
from web.api.resource import create_blueprint, problem_responses
from web.auth import (
    USER,
    current_caller,
    requested_profiles,
    require_scope,
    require_visible_profile,
)
from web.calendar_feed.schemas import CalendarLinkView, CreatedCalendarLink, NewCalendarLink
from web.http_layer.idempotency import Reply, answer_once
from web.http_layer.optional_body import body_or_defaults, optional_body
from web.http_layer.pagination import PageQuery, next_cursor, page_query
from web.paths import PREFIX
from web.schemas.common import IdPath, Page
from web.services import current_services

api = create_blueprint("calendar-links", "Calendars of posts", write="settings", person="read")


def is_ones_own() -> ColumnElement[bool]:
    """A person's link is theirs and the admins' alone."""
    caller = current_caller()
    if caller.may("admin"):
        return true()
    return or_(CalendarLink.user_id.is_(None), CalendarLink.user_id == _own_user_id())


def _own_user_id() -> int | None:
    return current_caller().id if current_caller().kind == USER else None


@api.post(
    "/calendar-links",
    responses={201: CreatedCalendarLink, **problem_responses(409)},
    openapi_extensions=optional_body(NewCalendarLink),
)
def create_calendar_link() -> Response:
    """Make the address of a calendar that calendar programs subscribe to; it is shown this once

    A person makes their own, which shows what they may see at the moment; a key needs the scope
    settings.
    """
    body = body_or_defaults(NewCalendarLink)
    return answer_once(lambda session: _insert_link(session, body))


def _insert_link(session: Session, body: NewCalendarLink) -> Reply:
    if body.profile_id is not None:
        wanted: list[str] | None = [require_visible_profile(body.profile_id)]
    else:
        of_request = requested_profiles(session).ids
        wanted = None if of_request is None else sorted(of_request)
    link, token = links.create_link(
        session,
        name=body.name,
        profile_ids=keep_visible_profiles(session, wanted, current_caller().visible),
        user_id=_own_user_id(),
        expires_at=current_caller().expires_at,
    )
    base = current_services().settings.public_url or request.url_root.rstrip("/")
    url = f"{base}{links.PATH}?token={token}"
    headers = {"Location": f"{PREFIX}/calendar-links/{link.id}"}
    shown = CreatedCalendarLink(**_link_view(link).model_dump(), url=url)
    return Reply(body=shown, status=201, headers=headers)


def _link_view(link: CalendarLink) -> CalendarLinkView:
    return CalendarLinkView(
        id=str(link.id),
        name=link.name,
        profile_ids=link.profile_ids,
        user_id=None if link.user_id is None else str(link.user_id),
        expires_at=link.expires_at,
        read=link.read,
        last_read_at=link.last_read_at,
        created_at=link.created_at,
    )


@api.get("/calendar-links", responses={200: Page[CalendarLinkView]})
def list_calendar_links(query: PageQuery) -> Response:
    """List the calendars, without their addresses"""
    with current_services().database.transaction() as session:
        own = requested_profiles(session).condition(CalendarLink), is_ones_own()
        wanted = select(CalendarLink).where(*own)
        rows = session.scalars(page_query(wanted, CalendarLink.id, query)).all()
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    page = Page[CalendarLinkView](items=[_link_view(row) for row in rows], next_cursor=onward)
    return Reply(body=page).response()


@api.delete("/calendar-links/<id>", responses={204: None})
def delete_calendar_link(path: IdPath) -> Response:
    """End a calendar: its address answers 404 at once"""
    caller = current_caller()
    with current_services().database.transaction() as session:
        link = load_visible(
            session, CalendarLink, path.id, caller.visible, lock=True, also=[is_ones_own()]
        )
        if link.user_id is None or link.user_id != _own_user_id():
            require_scope("settings")
        session.delete(link)
    return Response(status=204)
