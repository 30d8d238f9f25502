"""Keys of this API: created once, shown once, bound to profiles or to all."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import db
from shared.access import api_keys
from shared.access.visible_profiles import keep_visible_profiles, load_visible
from shared.errors import FieldError, Forbidden, Unprocessable
from shared.models import ApiKey
from web.api.resource import create_blueprint, problem_responses
from web.auth import current_caller
from web.http_layer.idempotency import Reply, answer_once
from web.http_layer.optional_body import body_or_defaults, optional_body
from web.http_layer.pagination import PageQuery, next_cursor, page_query
from web.paths import PREFIX
from web.schemas.common import IdPath, Page
from web.schemas.keys import CreatedKey, KeyView, NewKey, RotateKey
from web.services import current_services

api = create_blueprint("keys", "Keys of this API", read="admin", write="admin")

#: Scopes with which a key could approve its own posts, or switch their approval off.
_PAST_APPROVAL = frozenset({"approve", "settings", "admin"})


def key_views(session: Session, rows: Sequence[ApiKey]) -> list[KeyView]:
    old_until = api_keys.old_keys_until(session, [row.id for row in rows])
    return [_key_view(row, old_until.get(row.id)) for row in rows]


def _key_view(row: ApiKey, old_key_until: datetime | None) -> KeyView:
    return KeyView(
        id=str(row.id),
        name=row.name,
        profile_ids=row.profile_ids,
        scopes=row.scopes,
        requires_approval=row.requires_approval,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        old_key_until=old_key_until,
        created_at=row.created_at,
    )


def _view_with_key(session: Session, row: ApiKey, key: str) -> CreatedKey:
    session.refresh(row)
    [shown] = key_views(session, [row])
    return CreatedKey(**shown.model_dump(), key=key)


@api.post("/keys", responses={201: CreatedKey, **problem_responses(409, 422)})
def create_key(body: NewKey) -> Response:
    """Create a key, with no more than its maker has; it is shown this once"""
    return answer_once(lambda session: _insert_key(session, body))


def _insert_key(session: Session, body: NewKey) -> Reply:
    if body.requires_approval and (too_much := _PAST_APPROVAL & set(body.scopes)):
        fault = FieldError(field="scopes", message=f"has {', '.join(sorted(too_much))}")
        raise Unprocessable(
            "A key whose posts wait for approval cannot have a scope that gets past it",
            fields=[fault],
        )
    row, key = api_keys.create_api_key(
        session,
        name=body.name,
        profile_ids=keep_visible_profiles(session, body.profile_ids, current_caller().visible),
        scopes=sorted(set(body.scopes)),
        expires_at=_end_of_life(body.expires_at, db.read_clock(session)),
        requires_approval=body.requires_approval,
    )
    headers = {"Location": f"{PREFIX}/keys/{row.id}"}
    return Reply(body=_view_with_key(session, row, key), status=201, headers=headers)


def _end_of_life(wanted: datetime | None, now: datetime) -> datetime | None:
    """In the future, and not after the end of the key that makes it."""
    longest = current_caller().expires_at
    if wanted is None:
        return longest
    aware = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    if aware <= now:
        fault = FieldError(field="expires_at", message="must be in the future")
        raise Unprocessable("The key would have expired already", fields=[fault])
    if longest is not None and aware > longest:
        fault = FieldError(field="expires_at", message="must not be after your own key's end")
        raise Unprocessable("The key would outlive the one that makes it", fields=[fault])
    return aware


@api.get("/keys", responses={200: Page[KeyView]})
def list_keys(query: PageQuery) -> Response:
    """List the keys, without themselves"""
    own = select(ApiKey).where(current_caller().visible.condition(ApiKey))
    with current_services().database.transaction() as session:
        rows = session.scalars(page_query(own, ApiKey.id, query)).all()
        shown = key_views(session, rows)
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    return Reply(body=Page[KeyView](items=shown, next_cursor=onward)).response()


@api.get("/keys/<id>", responses={200: KeyView})
def get_key(path: IdPath) -> Response:
    """Read a key's name, profiles, scopes and last use"""
    with current_services().database.transaction() as session:
        [shown] = key_views(session, [_require_visible_key(session, path.id)])
    return Reply(body=shown).response()


@api.post(
    "/keys/<id>/rotate",
    responses={200: CreatedKey, **problem_responses(409)},
    openapi_extensions=optional_body(RotateKey),
)
def rotate_key(path: IdPath) -> Response:
    """Replace a key by a new one, shown this once; the earlier one works for a day, or as you say

    Name, profiles, scopes and end stay. `overlap_seconds: 0` ends the earlier one at once.
    """
    overlap = timedelta(seconds=body_or_defaults(RotateKey).overlap_seconds)
    with current_services().database.transaction() as session:
        _require_visible_key(session, path.id)
    return answer_once(lambda session: _replace_key(session, path.id, overlap))


def _replace_key(session: Session, key_id: str, overlap: timedelta) -> Reply:
    row = _require_visible_key(session, key_id, lock=True)
    longest = current_caller().expires_at
    if longest is not None and (row.expires_at is None or row.expires_at > longest):
        raise Forbidden("This key outlives yours: rotate it with one that does not end before it")
    key = api_keys.rotate_key(session, row, overlap)
    return Reply(body=_view_with_key(session, row, key))


@api.delete("/keys/<id>", responses={204: None})
def delete_key(path: IdPath) -> Response:
    """Delete a key: it stops working at once, in every process"""
    with current_services().database.transaction() as session:
        session.delete(_require_visible_key(session, path.id))
    return Response(status=204)


def _require_visible_key(session: Session, key_id: str, *, lock: bool = False) -> ApiKey:
    return load_visible(session, ApiKey, key_id, current_caller().visible, lock=lock)
