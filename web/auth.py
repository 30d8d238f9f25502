"""Who the caller is, what it may do, and which profiles it may see."""

import re
from dataclasses import dataclass
from datetime import datetime

from flask import g, request
from sqlalchemy.orm import Session

from shared.access import api_keys
from shared.access.visible_profiles import EVERY_PROFILE, VisibleProfiles
from shared.errors import Forbidden, InvalidRequest, NotFound, Unauthorized
from shared.models import ApiKey
from shared.people import sessions
from shared.people.roles import SCOPES_OF_ROLE
from shared.people.sessions import KnownSession
from shared.profiles import profile_settings
from web import session_cookie
from web.services import current_services

PROFILE_HEADER = "X-Profile-Id"
#: Also safe as a folder's name.
PROFILE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A key, or a person in a session: one of `key_id` and `user_id` is there.

    `visible`: the profiles that they are bound to, or every one. `expires_at`: of a key.
    `session_hash`: what its session is known by. `is_complete`: a second factor is not missing.
    """

    key_id: int | None = None
    user_id: int | None = None
    session_hash: str | None = None
    visible: VisibleProfiles
    scopes: frozenset[str]
    expires_at: datetime | None = None
    is_complete: bool = True

    @classmethod
    def of_key(cls, row: ApiKey) -> "Caller":
        return cls(
            key_id=row.id,
            visible=_visible_to(row.profile_ids),
            scopes=frozenset(row.scopes),
            expires_at=row.expires_at,
        )

    @classmethod
    def of_session(cls, known: KnownSession) -> "Caller":
        """Without its second factor it may do nothing, and sees nothing."""
        user = known.user
        return cls(
            user_id=user.id,
            session_hash=known.row.token_hash,
            visible=_visible_to(user.profile_ids if known.is_complete else []),
            scopes=SCOPES_OF_ROLE[user.role] if known.is_complete else frozenset(),
            is_complete=known.is_complete,
        )

    @property
    def name(self) -> str:
        """Of all callers only this one has it."""
        return f"key {self.key_id}" if self.user_id is None else f"user {self.user_id}"

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    @property
    def is_bound(self) -> bool:
        return self.visible.ids is not None

    @property
    def is_operator(self) -> bool:
        """An admin of the whole installation."""
        return not self.is_bound and "admin" in self.scopes


def _visible_to(profile_ids: list[str] | None) -> VisibleProfiles:
    return EVERY_PROFILE if profile_ids is None else VisibleProfiles.only(profile_ids)


def authenticate_request() -> None:
    """By the key of this request or, without one, by its session. Raises `Unauthorized`."""
    cookie = session_cookie.read_token()
    if "Authorization" in request.headers or cookie is None:
        g.caller = _caller_by_key()
    else:
        g.caller = _caller_by_session(cookie)


def _caller_by_key() -> Caller:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("Send an API key: Authorization: Bearer KEY")
    database = current_services().database
    with database.transaction() as session:
        known = api_keys.find_api_key(session, key.strip())
    if known is None:
        raise Unauthorized("This API key is unknown, or has expired")
    if known.is_use_due:
        with database.statements() as connection:
            api_keys.note_use(connection, known.row.id)
    return Caller.of_key(known.row)


def _caller_by_session(cookie: str) -> Caller:
    """Raises `Forbidden` for an unsafe request that another site may have made the browser send."""
    known = find_known_session(cookie)
    if known is None:
        raise Unauthorized("This session has ended: sign in again", code="session_ended")
    given = request.headers.get(session_cookie.CSRF_HEADER, "")
    if request.method not in _READS and not session_cookie.is_csrf_token(given, cookie):
        raise Forbidden(
            f"A session's requests that change something need {session_cookie.CSRF_HEADER}, "
            "which GET /api/v1/session shows",
            code="csrf",
        )
    return Caller.of_session(known)


def find_known_session(cookie: str) -> KnownSession | None:
    """The session that goes on, whose use is noted; else None."""
    database = current_services().database
    with database.transaction() as session:
        known = sessions.find_session(session, cookie)
    if known is not None and known.is_use_due:
        with database.statements() as connection:
            sessions.note_use(connection, known.row.token_hash)
    return known


def is_in_force(session: Session, caller: Caller) -> bool:
    """Whether the key or session that was accepted before still would be."""
    if caller.session_hash is not None:
        return sessions.is_in_force(session, caller.session_hash)
    return caller.key_id is not None and api_keys.is_in_force(session, caller.key_id)


def current_caller() -> Caller:
    found: Caller = g.caller
    return found


def require_scope(scope: str) -> None:
    require_complete_session()
    if not current_caller().may(scope):
        who = "API key" if current_caller().user_id is None else "role"
        raise Forbidden(f"This {who} lacks the scope {scope!r}")


def require_complete_session() -> None:
    if not current_caller().is_complete:
        raise Forbidden("Give your second factor first", code="second_factor_needed")


def require_person() -> int:
    """The user's id. Raises `Forbidden` for a key."""
    user_id = current_caller().user_id
    if user_id is None:
        raise Forbidden("Only a person who has signed in has a session", code="not_a_person")
    return user_id


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
