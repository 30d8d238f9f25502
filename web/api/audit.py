"""The audit trail: who changed what, from where."""

from flask import Response
from sqlalchemy import ColumnElement, select

from shared.models import AuditEntry
from web.api.resource import create_blueprint
from web.auth import KEY, USER, requested_profiles
from web.http_layer.idempotency import Reply
from web.http_layer.pagination import next_cursor, page_query
from web.schemas.audit import ActorView, AuditEntryView, AuditQuery
from web.schemas.common import Page
from web.services import current_services

api = create_blueprint("audit", "Who changed what", read="admin", write="admin")


@api.get("/audit", responses={200: Page[AuditEntryView]})
def list_audit_entries(query: AuditQuery) -> Response:
    """List the changes that were made through this API, the newest first"""
    wanted = select(AuditEntry).where(*audit_conditions(query))
    newest = page_query(wanted, AuditEntry.id, query, newest=True)
    with current_services().database.transaction() as session:
        own = requested_profiles(session).condition(AuditEntry)
        rows = session.scalars(newest.where(own)).all()
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    page = Page[AuditEntryView](items=[entry_view(row) for row in rows], next_cursor=onward)
    return Reply(body=page).response()


def audit_conditions(query: AuditQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.profile is not None:
        found.append(AuditEntry.profile_ids.contains([query.profile]))
    if query.key_id is not None:
        found += [AuditEntry.actor_kind == KEY, AuditEntry.actor_id == int(query.key_id)]
    if query.user_id is not None:
        found += [AuditEntry.actor_kind == USER, AuditEntry.actor_id == int(query.user_id)]
    if query.since is not None:
        found.append(AuditEntry.at >= query.since)
    if query.until is not None:
        found.append(AuditEntry.at < query.until)
    return found


def entry_view(row: AuditEntry) -> AuditEntryView:
    names = set(AuditEntryView.model_fields) - {"id", "actor"}
    actor = ActorView(kind=row.actor_kind, id=str(row.actor_id), name=row.actor_name)
    return AuditEntryView(
        id=str(row.id), actor=actor, **{name: getattr(row, name) for name in names}
    )
