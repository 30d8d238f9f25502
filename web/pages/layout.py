"""What all pages for signed-in people have: who looks at them, and their frame."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, g, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.wrappers import Response as AnyResponse

from web import session_cookie
from web.auth import current_caller
from web.http_layer import security_headers
from web.http_layer.pagination import PageQuery
from web.pages import static_files
from web.paths import PREFIX
from web.people.page_blueprint import create_page_blueprint
from web.people.page_session import SECOND_FACTOR, SIGN_IN, current_reader, lead_to
from web.serializers.state_words import STATE_WORDS

_HERE = Path(__file__).parent
#: The main links: their paths and words.
NAVIGATION: Sequence[tuple[str, str]] = (
    ("/", "Home"),
    ("/compose", "Compose"),
    ("/calendar", "Calendar"),
    ("/jobs", "Jobs"),
    ("/posts", "Posts"),
    ("/media", "Media"),
    ("/schedules", "Schedules"),
    ("/channels", "Channels"),
    ("/profiles", "Profiles"),
    ("/settings", "Settings"),
    ("/account", "Your account"),
    ("/docs/", "Docs"),
)


def _show_moment(moment: datetime | None) -> str:
    """In UTC; a script puts it into the reader's zone."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["moment"] = _show_moment
_TEMPLATES.globals["state_words"] = STATE_WORDS


def create_reader_blueprint(name: str) -> Blueprint:
    """Of pages that are for people who are signed in, with their second factor."""
    pages = create_page_blueprint(name)
    pages.before_request(_admit_reader)
    return pages


def _admit_reader() -> AnyResponse | None:
    reader = current_reader()
    if reader is None:
        return lead_to(SIGN_IN)
    if not reader.is_complete:
        return lead_to(SECOND_FACTOR)
    g.caller = reader
    return None


def requested_page(limit: int) -> PageQuery:
    """Of a list: the one that the address names. Its cursor is checked where it is read."""
    return PageQuery.model_construct(limit=limit, cursor=request.args.get("cursor"))


def show(template: str, *, title: str, path: str, status: int = 200, **values: Any) -> Response:
    """`path`: of the link in the navigation that the page belongs to."""
    caller = current_caller()
    text = _TEMPLATES.get_template(template).render(
        title=title,
        path=path,
        navigation=NAVIGATION,
        api=PREFIX,
        caller=caller,
        may_publish=caller.may("publish"),
        may_approve=caller.may("approve"),
        may_set=caller.may("settings"),
        may_administer=caller.may("admin"),
        csrf=session_cookie.csrf_token(session_cookie.read_token() or ""),
        static=static_files.addresses(),
        **values,
    )
    headers = {"Content-Security-Policy": security_headers.PAGE_POLICY}
    return Response(text, status, headers, mimetype="text/html")
