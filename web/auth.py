"""Who the caller is, what it may do, and which profiles it may see."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import g, request
from sqlalchemy import Row, select
from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars

from shared.access import api_keys
from shared.access.visible_profiles import EVERY_PROFILE, VisibleProfiles
from shared.errors import Forbidden, InvalidRequest, NotFound, Unauthorized
from shared.models import ApiKey, Profile
from shared.profiles import profile_settings
from web.services import current_services

PROFILE_HEADER = "X-Profile-Id"
#: Also safe as a folder's name.
PROFILE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Caller:
    """`visible`: the profiles that the key is bound to, or every one. `expires_at`: of the key."""

    key_id: int
    key_name: str
    visible: VisibleProfiles
    scopes: frozenset[str]
    expires_at: datetime | None

    @classmethod
    def of(cls, row: ApiKey) -> "Caller":
        bound = row.profile_ids
        return cls(
            key_id=row.id,
            key_name=row.name,
            visible=EVERY_PROFILE if bound is None else VisibleProfiles.only(bound),
            scopes=frozenset(row.scopes),
            expires_at=row.expires_at,
        )

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    @property
    def is_bound(self) -> bool:
        return self.visible.ids is not None

    @property
    def holder(self) -> Hashable:
        """Whose share of what few can have at once: all keys of the same profiles have one."""
        return self.key_id if self.visible.ids is None else self.visible.ids

    @property
    def is_operator(self) -> bool:
        """An admin of the whole installation."""
        return not self.is_bound and "admin" in self.scopes


def authenticate_request() -> None:
    """Read the key of this request. Raises `Unauthorized`, and `TooManyRequests`."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("Send an API key: Authorization: Bearer KEY")
    key, address = key.strip(), request.remote_addr or ""
    database, rates = current_services().database, current_services().rates
    rates.refuse_guesses(address, key)
    with database.transaction() as session:
        known = api_keys.find_api_key(session, key)
        profile = _find_counted_profile(session, known.row) if known else None
    if known is None:
        rates.note_failure(address, key)
        raise Unauthorized("This API key is unknown, or has expired")
    rates.note_success(address, key)
    bind_contextvars(by_key=str(known.row.id))
    rates.count_request(known.row.id)
    if profile is not None:
        rates.count_profile_request(profile.id, profile.quotas)
    if known.is_use_due:
        with database.statements() as connection:
            api_keys.note_use(connection, known.row.id)
    g.caller = Caller.of(known.row)


def _find_counted_profile(session: Session, key: ApiKey) -> Row[str, dict[str, Any]] | None:
    """The profile whose requests this one counts among: the one it names, else the key's only one.

    Id and quotas. None for a key that is bound to none, so that the operator's are always heard.
    """
    bound = key.profile_ids or ()
    path = str((request.view_args or {}).get("id", "")) if "/profiles/<" in _rule() else ""
    named = request.headers.get(PROFILE_HEADER) or path
    if not named and len(bound) == 1:
        [named] = bound
    if named not in bound:
        return None
    its_own = VisibleProfiles.only(bound).condition(Profile)
    query = select(Profile.id, Profile.quotas).where(Profile.id == named, its_own)
    return session.execute(query).one_or_none()


def _rule() -> str:
    return request.url_rule.rule if request.url_rule else ""


def current_caller() -> Caller:
    found: Caller = g.caller
    return found


def require_scope(scope: str) -> None:
    if not current_caller().may(scope):
        raise Forbidden(f"This API key lacks the scope {scope!r}")


def require_visible_profile(profile_id: str) -> str:
    """`profile_id`, if this caller may see it. Raises `NotFound`."""
    if not PROFILE_ID.fullmatch(profile_id) or not current_caller().visible.sees(profile_id):
        raise NotFound(f"There is no profile {profile_id!r}")
    return profile_id


def current_profile(session: Session) -> str:
    """The profile of this request: by its header, or the only one of its key."""
    bound = current_caller().visible.ids
    named = request.headers.get(PROFILE_HEADER)
    if named is None and bound is not None and len(bound) == 1:
        [named] = bound
    if named is None:
        raise InvalidRequest(
            f"Name the profile in the header {PROFILE_HEADER}: this API key is "
            "not bound to exactly one",
            code="profile_missing",
        )
    return profile_settings.load_profile(session, require_visible_profile(named)).id


def requested_profiles(session: Session) -> VisibleProfiles:
    """The profiles that a list covers: the header's, else the key's."""
    if PROFILE_HEADER in request.headers:
        return VisibleProfiles.only({current_profile(session)})
    return current_caller().visible
