"""Settings, and of them people and the audit trail."""

from typing import get_args

from flask import Response, request
from pydantic import ValidationError
from sqlalchemy import select

from shared.models import AuditEntry, User
from web.api.audit import audit_conditions, entry_view
from web.auth import USER, current_caller, require_scope
from web.http_layer.pagination import next_cursor, page_query
from web.pages.layout import create_reader_blueprint, requested_page, show
from web.pages.profiles import OFFERED, offer_profiles
from web.people.views import user_view
from web.schemas.audit import AuditQuery
from web.schemas.people import Role
from web.services import current_services

pages = create_reader_blueprint("people_pages")

SETTINGS = "/settings"
AT_ONCE = 50
#: What the audit trail is filtered by, in the words of the API.
FILTERS = ("profile", "user", "key", "since", "until")


@pages.get(SETTINGS)
def show_settings() -> Response:
    """Flower shows the tasks of everybody, to whoever has the operator's password."""
    flower = current_services().settings.flower_url if current_caller().is_operator else None
    return show("settings.html", title="Settings", path=SETTINGS, flower=flower)


@pages.get("/users")
def show_users() -> Response:
    require_scope("admin")
    caller = current_caller()
    own = select(User).where(caller.visible.condition(User))
    query = page_query(own, User.id, requested_page(AT_ONCE))
    with current_services().database.transaction() as session:
        rows = session.scalars(query).all()
        users = [user_view(row) for row in rows]
        profiles = offer_profiles(session)
    return show(
        "users.html",
        title="People",
        path=SETTINGS,
        users=users,
        roles=get_args(Role),
        own_id=str(caller.id) if caller.kind == USER else "",
        own_profiles=sorted(caller.visible.ids or ()),
        profiles=profiles,
        most=OFFERED,
        cursor=next_cursor(rows, AT_ONCE, lambda row: row.id),
    )


@pages.get("/audit")
def show_audit() -> Response:
    require_scope("admin")
    chosen = {name: request.args.get(name, "").strip()[:100] for name in FILTERS}
    problem = ""
    try:
        wanted = AuditQuery.model_validate({name: each for name, each in chosen.items() if each})
    except ValidationError as error:
        fields = {str(fault["loc"][0]) for fault in error.errors()}
        wanted, problem = AuditQuery.model_validate({}), f"Not understood: {', '.join(fields)}"
    own = current_caller().visible.condition(AuditEntry)
    entries = select(AuditEntry).where(*audit_conditions(wanted), own)
    query = page_query(entries, AuditEntry.id, requested_page(AT_ONCE), newest=True)
    with current_services().database.transaction() as session:
        rows = session.scalars(query).all()
        shown = [] if problem else [entry_view(row) for row in rows]
    return show(
        "audit.html",
        title="Audit trail",
        path=SETTINGS,
        entries=shown,
        chosen=chosen,
        problem=problem,
        cursor=next_cursor(rows, AT_ONCE, lambda row: row.id),
    )
