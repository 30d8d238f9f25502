"""Who the caller is, what it may do, and which profiles it may see."""

import re
from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask import g, request
from sqlalchemy import Row, select
from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars

from shared.access import api_keys
from shared.access.visible_profiles import EVERY_PROFILE, VisibleProfiles
from shared.errors import Forbidden, InvalidRequest, NotFound, Unauthorized
from shared.models import ApiKey, ApprovalLink, Profile, User
from shared.people import key_sessions, sessions
from shared.people.roles import SCOPES_OF_ROLE
from shared.people.sessions import KnownSession
from shared.profiles import profile_settings
from web import known_sessions, session_cookie
from web.services import current_services

PROFILE_HEADER = "X-Profile-Id"
#: Also safe as a folder's name.
PROFILE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
#: The kinds of callers.
KEY, USER, APPROVAL_LINK = "key", "user", "approval_link"
#: Where a request that we make to ourselves has its caller; no header can set it.
ADOPTED = "pressroom.caller"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A key, or a person in a session, or whoever has a link to approve posts.

    `id` and `name`: of its row; a person's email. `visible`: the profiles that it is bound to, or
    every one. `expires_at`: of a key. `session_hash`: what the session is known by, of a person or
    of a browser that a key has signed in. `requires_approval`: of what it publishes.
    `is_complete`: no second factor is missing.
    """

    kind: str
    id: int
    name: str
    visible: VisibleProfiles
    scopes: frozenset[str]
    expires_at: datetime | None = None
    session_hash: str | None = None
    is_complete: bool = True
    requires_approval: bool = False

    @classmethod
    def of_key(cls, row: ApiKey, *, session_hash: str | None = None) -> "Caller":
        return cls(
            kind=KEY,
            id=row.id,
            name=row.name,
            visible=_visible_to(row.profile_ids),
            scopes=frozenset(row.scopes),
            expires_at=row.expires_at,
            session_hash=session_hash,
            requires_approval=row.requires_approval,
        )

    @classmethod
    def of_user(cls, user: User, *, session_hash: str | None = None) -> "Caller":
        return cls(
            kind=USER,
            id=user.id,
            name=user.email,
            visible=_visible_to(user.profile_ids),
            scopes=SCOPES_OF_ROLE[user.role],
            session_hash=session_hash,
        )

    @classmethod
    def of_approval_link(cls, link: ApprovalLink) -> "Caller":
        return cls(
            kind=APPROVAL_LINK,
            id=link.id,
            name=link.name,
            visible=VisibleProfiles.only({link.profile_id}),
            scopes=frozenset({"approve"}),
        )

    @classmethod
    def of_session(cls, known: KnownSession) -> "Caller":
        """Without its second factor it may do nothing, and sees nothing."""
        whole = cls.of_user(known.user, session_hash=known.row.token_hash)
        if known.is_complete:
            return whole
        nothing = VisibleProfiles.only(())
        return replace(whole, visible=nothing, scopes=frozenset(), is_complete=False)

    @property
    def reference(self) -> str:
        """Of all callers only this one has it."""
        return f"{self.kind} {self.id}"

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    @property
    def is_bound(self) -> bool:
        return self.visible.ids is not None

    @property
    def holder(self) -> Hashable:
        """Whose share of what few can have at once: all callers of the same profiles have one."""
        return self.reference if self.visible.ids is None else self.visible.ids

    @property
    def is_operator(self) -> bool:
        """An admin of the whole installation."""
        return not self.is_bound and "admin" in self.scopes


def _visible_to(profile_ids: list[str] | None) -> VisibleProfiles:
    return EVERY_PROFILE if profile_ids is None else VisibleProfiles.only(profile_ids)


def authenticate_request() -> None:
    """By the key of this request or, without one, by its session; or as it was done already.

    Raises `Unauthorized`, `TooManyRequests`, and `Forbidden` for what another site made it send.
    """
    if (adopted := request.environ.get(ADOPTED)) is not None:
        _adopt(adopted)
        return
    cookie = session_cookie.read_token()
    if "Authorization" in request.headers or cookie is None:
        _admit(_accept_key())
    else:
        _admit(_accept_session(cookie))


def authenticate_key(key: str | None = None) -> None:
    """By an API key alone, this or that of the header: no browser sends one by itself.

    Raises as `authenticate_request`.
    """
    _admit(_accept_key() if key is None else Caller.of_key(find_key(key)))


def _admit(caller: Caller) -> None:
    _name_caller(caller)
    rates = current_services().rates
    rates.count_request(caller.reference)
    if (profile := _find_counted_profile(caller)) is not None:
        rates.count_profile_request(profile.id, profile.quotas)


def _adopt(caller: Caller) -> None:
    """The request around this one was counted, but for a profile that only this one names."""
    _name_caller(caller)
    if len(caller.visible.ids or ()) > 1 and (profile := _find_counted_profile(caller)):
        current_services().rates.count_profile_request(profile.id, profile.quotas)


def _name_caller(caller: Caller) -> None:
    g.caller = caller
    bind_contextvars(**{f"by_{caller.kind}": str(caller.id)})


def _accept_key() -> Caller:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return Caller.of_key(find_key(key.strip()))
    raise Unauthorized("Send an API key: Authorization: Bearer KEY")


def find_key(key: str) -> ApiKey:
    """Its row. Raises `Unauthorized`, and `TooManyRequests` where too many wrong ones came from."""
    address = request.remote_addr or ""
    database, rates = current_services().database, current_services().rates
    rates.refuse_guesses(address, key)
    with database.transaction() as session:
        known = api_keys.find_api_key(session, key)
    if known is None:
        rates.note_failure(address, key)
        raise Unauthorized("This API key is unknown, or has expired")
    rates.note_success(address, key)
    if known.is_use_due:
        with database.statements() as connection:
            api_keys.note_use(connection, known.row.id)
    return known.row


def _accept_session(cookie: str) -> Caller:
    if (caller := find_session_caller(cookie)) is None:
        raise Unauthorized("This session has ended: sign in again", code="session_ended")
    given = request.headers.get(session_cookie.CSRF_HEADER, "")
    if request.method not in _READS and not session_cookie.is_csrf_token(given, cookie):
        raise Forbidden(
            f"A session's requests that change something need {session_cookie.CSRF_HEADER}, "
            "which GET /api/v1/session shows",
            code="csrf",
        )
    return caller


def find_session_caller(cookie: str) -> Caller | None:
    """Of a session that goes on, whose use is noted: a person, or the key that signed in."""
    if key_sessions.is_token(cookie):
        if (signed_in := known_sessions.find_key_session(cookie)) is None:
            return None
        return Caller.of_key(signed_in.key, session_hash=signed_in.row.token_hash)
    known = known_sessions.find_known_session(cookie)
    return None if known is None else Caller.of_session(known)


def is_in_force(session: Session, caller: Caller) -> bool:
    """Whether the key or session that was accepted before still would be."""
    if caller.session_hash is not None and caller.kind == KEY:
        return key_sessions.is_in_force(session, caller.session_hash)
    if caller.session_hash is not None:
        return sessions.is_in_force(session, caller.session_hash)
    return api_keys.is_in_force(session, caller.id)


def _find_counted_profile(caller: Caller) -> Row[str, dict[str, Any]] | None:
    """The profile whose requests this one counts among: the one it names, else the only one.

    Id and quotas. None for who is bound to none, so that the operator's are always heard.
    """
    bound = caller.visible.ids or ()
    rule = request.url_rule.rule if request.url_rule else ""
    path = str((request.view_args or {}).get("id", "")) if "/profiles/<" in rule else ""
    named = request.headers.get(PROFILE_HEADER) or path
    if not named and len(bound) == 1:
        [named] = bound
    if named not in bound:
        return None
    seen = Profile.id == named, caller.visible.condition(Profile)
    query = select(Profile.id, Profile.quotas).where(*seen)
    with current_services().database.reading() as session:
        return session.execute(query).one_or_none()


def current_caller() -> Caller:
    return g.caller  # type: ignore[no-any-return]


def require_scope(scope: str) -> None:
    require_complete_session()
    if not current_caller().may(scope):
        who = "API key" if current_caller().kind == KEY else "role"
        raise Forbidden(f"This {who} lacks the scope {scope!r}")


def require_complete_session() -> None:
    if not current_caller().is_complete:
        raise Forbidden("Give your second factor first", code="second_factor_needed")


def require_person() -> int:
    """The user's id. Raises `Forbidden` for a key."""
    if current_caller().kind != USER:
        raise Forbidden("Only a person who has signed in has a session", code="not_a_person")
    return current_caller().id


def require_session() -> str:
    """The hash of its token. Raises `Forbidden` for a request that came with a key."""
    session_hash = current_caller().session_hash
    if session_hash is None:
        raise Forbidden("Only who has signed in has a session", code="not_a_person")
    return session_hash


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
