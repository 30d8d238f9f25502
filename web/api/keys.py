"""Keys of this API: created once, shown once, bound to profiles or to all."""

from datetime import UTC, datetime

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import api_keys, db
from shared.errors import FieldError, Forbidden, NotFound, Unprocessable
from shared.media.repository import is_id
from shared.models import ApiKey, Profile
from web.api.resource import create_blueprint, problem_responses
from web.auth import PROFILE_ID, current_caller
from web.http_layer.idempotency import Reply, answer_once
from web.http_layer.pagination import PageQuery, next_cursor, page_query
from web.schemas.common import IdPath, Page
from web.schemas.keys import CreatedKey, KeyView, NewKey
from web.services import current_services

api = create_blueprint("keys", "Keys of this API", read="admin", write="admin")


def _key_fields(row: ApiKey) -> dict[str, object]:
    return {
        "id": str(row.id),
        "name": row.name,
        "profile_ids": row.profile_ids,
        "scopes": row.scopes,
        "expires_at": row.expires_at,
        "created_at": row.created_at,
    }


@api.post("/keys", responses={201: CreatedKey, **problem_responses(409, 422)})
def create_key(body: NewKey) -> Response:
    """Create a key, with no more than its maker has; it is shown this once"""
    return answer_once(lambda session: _insert_key(session, body))


def _insert_key(session: Session, body: NewKey) -> Reply:
    check_profiles(session, body.profile_ids)
    expires_at = _require_future(body.expires_at, db.read_clock(session))
    row, key = api_keys.create_api_key(
        session,
        name=body.name,
        profile_ids=body.profile_ids,
        scopes=sorted(set(body.scopes)),
        expires_at=expires_at,
    )
    session.refresh(row)
    shown = CreatedKey.model_validate({**_key_fields(row), "key": key})
    return Reply(body=shown, status=201, headers={"Location": f"/api/v1/keys/{row.id}"})


def check_profiles(session: Session, wanted: list[str] | None) -> None:
    """Raises `Forbidden` for more than the caller may see, `Unprocessable` for unknown profiles."""
    if wanted is None and current_caller().profile_ids is not None:
        raise Forbidden("This API key is bound to profiles: name the profiles of the new key")
    well_formed = [name for name in wanted or () if PROFILE_ID.fullmatch(name)]
    known = set(session.scalars(select(Profile.id).where(Profile.id.in_(well_formed))))
    faults = [
        FieldError(field=f"profile_ids.{index}", message=f"there is no profile {name!r}")
        for index, name in enumerate(wanted or ())
        if name not in known or not current_caller().sees(name)
    ]
    if faults:
        raise Unprocessable("Some of these profiles do not exist", fields=faults)


def _require_future(moment: datetime | None, now: datetime) -> datetime | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if aware <= now:
        fault = FieldError(field="expires_at", message="must be in the future")
        raise Unprocessable("The key would have expired already", fields=[fault])
    return aware


@api.get("/keys", responses={200: Page[KeyView]})
def list_keys(query: PageQuery) -> Response:
    """List the keys, without themselves"""
    wanted = page_query(select(ApiKey), ApiKey.id, query)
    bound = current_caller().profile_ids
    if bound is not None:
        wanted = wanted.where(ApiKey.profile_ids.contained_by(list(bound)))
    with current_services().database.transaction() as session:
        rows = session.scalars(wanted).all()
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    items = [KeyView.model_validate(_key_fields(row)) for row in rows]
    return Reply(body=Page[KeyView](items=items, next_cursor=onward)).response()


@api.get("/keys/<id>", responses={200: KeyView})
def get_key(path: IdPath) -> Response:
    """Read a key's name, profiles and scopes"""
    with current_services().database.transaction() as session:
        row = _require_visible_key(session, path.id)
    return Reply(body=KeyView.model_validate(_key_fields(row))).response()


@api.delete("/keys/<id>", responses={204: None})
def delete_key(path: IdPath) -> Response:
    """Delete a key: it stops working at once"""
    with current_services().database.transaction() as session:
        session.delete(_require_visible_key(session, path.id))
    return Response(status=204)


def _require_visible_key(session: Session, key_id: str) -> ApiKey:
    row = session.get(ApiKey, int(key_id)) if is_id(key_id) else None
    if row is None or not current_caller().sees_all(row.profile_ids):
        raise NotFound(f"There is no key {key_id!r}")
    return row
