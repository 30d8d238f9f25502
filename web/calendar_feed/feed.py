"""`GET /calendar.ics`: what is planned and published, for calendar programs, by a link's token."""

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from shared.calendar_feed import feed, links
from shared.errors import NotFound
from web.api.resource import problem_responses
from web.calendar_feed.schemas import FeedQuery
from web.services import current_services

_MINUTES_FRESH = 5
_TYPE = "text/calendar"

api = APIBlueprint("calendar", __name__, abp_tags=[Tag(name="calendar-links")])


@api.get(
    links.PATH,
    responses={
        200: {"description": "iCalendar", "content": {_TYPE: {"schema": {"type": "string"}}}},
        304: None,
        **problem_responses(404, 429, 503),
    },
)
def get_calendar(query: FeedQuery) -> Response:
    """The posts of a calendar link: the last 90 days and the next year, 2,000 at most

    Needs no key: the token is that of `POST /api/v1/calendar-links`.
    """
    ours, address = current_services(), request.remote_addr or ""
    ours.rates.refuse_guesses(address, query.token)
    with ours.feeds.place(), ours.database.transaction() as session:
        try:
            link, visible = links.find_link(session, query.token)
        except NotFound:
            ours.rates.note_failure(address, query.token)
            raise
        ours.rates.note_success(address, query.token)
        ours.rates.count_request(f"calendar {link.id}")
        links.note_read(session, link)
        entries = feed.read_entries(session, visible)
    tag = feed.compute_tag(entries)
    headers = {"Cache-Control": f"private, max-age={60 * _MINUTES_FRESH}", "ETag": f'"{tag}"'}
    if tag in request.if_none_match:
        return Response(status=304, headers=headers)
    with ours.feeds.place():
        return Response(feed.render_feed(entries), mimetype=_TYPE, headers=headers)
