"""Who the caller is, what it may do, and which profiles it may see."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask import g, request
from sqlalchemy.orm import Session

from shared import api_keys
from shared.errors import Forbidden, InvalidRequest, NotFound, Unauthorized
from shared.models import ApiKey
from shared.profiles import profile_settings
from web.services import current_services

PROFILE_HEADER = "X-Profile-Id"
#: Also safe as a folder's name.
PROFILE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Caller:
    """`profile_ids`: the profiles that the key is bound to, None for all."""

    key_id: int
    profile_ids: tuple[str, ...] | None
    scopes: frozenset[str]

    @classmethod
    def of(cls, row: ApiKey) -> "Caller":
        bound = None if row.profile_ids is None else tuple(row.profile_ids)
        return cls(key_id=row.id, profile_ids=bound, scopes=frozenset(row.scopes))

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    def sees(self, profile_id: str) -> bool:
        return self.profile_ids is None or profile_id in self.profile_ids

    def sees_all(self, profile_ids: Sequence[str] | None) -> bool:
        if profile_ids is None:
            return self.profile_ids is None
        return all(self.sees(profile_id) for profile_id in profile_ids)


def authenticate_request() -> None:
    """Read the key of this request. Raises `Unauthorized`."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("Send an API key: Authorization: Bearer KEY")
    with current_services().database.transaction() as session:
        row = api_keys.find_api_key(session, key.strip())
    if row is None:
        raise Unauthorized("This API key is unknown, or has expired")
    g.caller = Caller.of(row)


def current_caller() -> Caller:
    found: Caller = g.caller
    return found


def require_scope(scope: str) -> None:
    if not current_caller().may(scope):
        raise Forbidden(f"This API key lacks the scope {scope!r}")


def require_visible_profile(profile_id: str) -> str:
    """`profile_id`, if this caller may see it. Raises `NotFound`."""
    if not PROFILE_ID.fullmatch(profile_id) or not current_caller().sees(profile_id):
        raise NotFound(f"There is no profile {profile_id!r}")
    return profile_id


def current_profile(session: Session) -> str:
    """The profile of this request: by its header, or the only one of its key."""
    bound = current_caller().profile_ids
    named = request.headers.get(PROFILE_HEADER)
    if named is None and bound is not None and len(bound) == 1:
        named = bound[0]
    if named is None:
        raise InvalidRequest(
            f"Name the profile in the header {PROFILE_HEADER}: this API key is "
            "not bound to exactly one",
            code="profile_missing",
        )
    return profile_settings.load_profile(session, require_visible_profile(named)).id


def visible_profile_ids(session: Session) -> list[str] | None:
    """The profiles that a list covers: the header's, else the key's; None for all."""
    if PROFILE_HEADER in request.headers:
        return [current_profile(session)]
    bound = current_caller().profile_ids
    return None if bound is None else list(bound)
