"""Sessions of people: a random token in a cookie, of which the hash is stored."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from shared.crypto import hash_secret
from shared.models import User, UserSession
from shared.people.roles import NEEDS_SECOND_FACTOR

#: After so long without a request a session ends, and after so long in any case.
IDLE = timedelta(hours=2)
LONGEST = timedelta(hours=24)
#: How exactly it is known when a session was used last.
USE_NOTED_EVERY = timedelta(minutes=1)
SecondFactor = Literal["given", "needed", "to_be_enrolled", "not_needed"]


@dataclass(frozen=True)
class KnownSession:
    """`is_use_due`: its use is to be noted, with `note_use`."""

    user: User
    row: UserSession
    is_use_due: bool

    @property
    def second_factor(self) -> SecondFactor:
        if self.row.second_factor:
            return "given"
        if self.user.has_second_factor:
            return "needed"
        return "to_be_enrolled" if self.user.role in NEEDS_SECOND_FACTOR else "not_needed"

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is asked of the person."""
        return self.second_factor in {"given", "not_needed"}


def hash_token(token: str) -> str:
    return hash_secret(token)


def begin_session(session: Session, user: User, *, second_factor: bool = False) -> str:
    """The token, which cannot be read again."""
    token = secrets.token_urlsafe(32)
    row = UserSession(token_hash=hash_secret(token), user_id=user.id, second_factor=second_factor)
    row.ends_at = session.scalars(select(func.now() + LONGEST)).one()
    session.add(row)
    session.flush()
    return token


def find_session(session: Session, token: str) -> KnownSession | None:
    """Asked at each request and stored nowhere, so that what is ended is so in every process."""
    due = UserSession.last_used_at < func.now() - USE_NOTED_EVERY
    query = select(UserSession, User, due.label("due")).join(User, User.id == UserSession.user_id)
    found = session.execute(
        query.where(UserSession.token_hash == hash_secret(token), _goes_on())
    ).one_or_none()
    if found is None:
        return None
    return KnownSession(found.User, found.UserSession, is_use_due=found.due)


def is_in_force(session: Session, token_hash: str) -> bool:
    """Whether a session that was accepted before still would be."""
    query = select(UserSession.user_id).join(User, User.id == UserSession.user_id)
    return session.scalar(query.where(UserSession.token_hash == token_hash, _goes_on())) is not None


def _goes_on() -> ColumnElement[bool]:
    return and_(
        UserSession.ends_at > func.now(),
        UserSession.last_used_at > func.now() - IDLE,
        User.disabled.is_(False),
    )


def note_use(connection: Connection, token_hash: str) -> None:
    """Record that it was used; nobody waits for whoever records it at this moment."""
    own = UserSession.token_hash == token_hash
    free = select(UserSession.token_hash).where(own)
    free = free.with_for_update(key_share=True, skip_locked=True)
    noted = update(UserSession).where(UserSession.token_hash == free.scalar_subquery())
    connection.execute(noted.values(last_used_at=func.now()))


def end_sessions(session: Session, user_ids: Collection[int], *, but: str | None = None) -> None:
    """Everywhere; `but`: the hash of the token of the one that stays."""
    query = delete(UserSession).where(UserSession.user_id.in_(user_ids))
    if but is not None:
        query = query.where(UserSession.token_hash != but)
    session.execute(query.execution_options(synchronize_session=False))


def end_session(session: Session, token_hash: str) -> None:
    session.execute(
        delete(UserSession)
        .where(UserSession.token_hash == token_hash)
        .execution_options(synchronize_session=False)
    )


def has_ended() -> ColumnElement[bool]:
    """Which sessions nobody can use any more."""
    return or_(UserSession.ends_at < func.now(), UserSession.last_used_at < func.now() - IDLE)
