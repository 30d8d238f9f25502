"""Sessions of browsers that a key has signed in: each lives no longer than the key does."""

import secrets
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from shared.access import api_keys
from shared.crypto import hash_secret
from shared.models import ApiKey, KeySession, RetiredKey
from shared.people.sessions import IDLE, LONGEST, USE_NOTED_EVERY

#: Sessions of one key at a time; a newer one ends the oldest.
MOST_OF_A_KEY = 100
#: What the tokens begin with; those of people never have a full stop.
_BEGINNING = "key."


@dataclass(frozen=True)
class KnownKeySession:
    """`is_use_due`: its use is to be noted, with `note_use`."""

    key: ApiKey
    row: KeySession
    is_use_due: bool


def is_token(token: str) -> bool:
    """Whether a token is of these sessions, and not of a person's."""
    return token.startswith(_BEGINNING)


def begin_session(session: Session, key: str) -> tuple[ApiKey, str] | None:
    """The row of `key`, and the token, which cannot be read again; None if the key has ended.

    The row is locked, so that no key is deleted before the session stands.
    """
    found = api_keys.find_api_key(session, key)
    if found is None:
        return None
    alive = select(ApiKey.id).where(ApiKey.id == found.row.id).with_for_update(key_share=True)
    if session.scalar(alive) is None:
        return None
    token = _BEGINNING + secrets.token_urlsafe(32)
    row = KeySession(token_hash=hash_secret(token), api_key_id=found.row.id)
    row.key_hash = api_keys.hash_key(key)
    row.ends_at = session.scalars(select(func.now() + LONGEST)).one()
    _end_oldest(session, found.row.id)
    session.add(row)
    session.flush()
    return found.row, token


def _end_oldest(session: Session, key_id: int) -> None:
    of_key = KeySession.api_key_id == key_id
    newest = select(KeySession.token_hash).where(of_key).order_by(KeySession.created_at.desc())
    kept = newest.limit(MOST_OF_A_KEY - 1)
    session.execute(
        delete(KeySession)
        .where(of_key, KeySession.token_hash.not_in(kept))
        .execution_options(synchronize_session=False)
    )


def find_session(session: Session, token: str) -> KnownKeySession | None:
    """Asked at each request and stored nowhere, so that what is ended is so in every process."""
    due = KeySession.last_used_at < func.now() - USE_NOTED_EVERY
    query = select(KeySession, ApiKey, due.label("due")).where(
        KeySession.token_hash == hash_secret(token), _goes_on()
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    return KnownKeySession(found.ApiKey, found.KeySession, is_use_due=found.due)


def is_in_force(session: Session, token_hash: str) -> bool:
    """Whether a session that was accepted before still would be."""
    query = select(KeySession.api_key_id).where(KeySession.token_hash == token_hash, _goes_on())
    return session.scalar(query) is not None


def _goes_on() -> ColumnElement[bool]:
    """Of sessions, together with their keys."""
    retired = RetiredKey.key_hash == KeySession.key_hash
    same_key = or_(
        ApiKey.key_hash == KeySession.key_hash,
        exists().where(retired, RetiredKey.api_key_id == ApiKey.id, api_keys.still_valid()),
    )
    own = and_(ApiKey.id == KeySession.api_key_id, same_key, api_keys.opens_doors())
    return and_(own, ~has_ended())


def note_use(connection: Connection, token_hash: str) -> None:
    """Record that the session was used; nobody waits for whoever records it at this moment."""
    free = select(KeySession.token_hash).where(KeySession.token_hash == token_hash)
    free = free.with_for_update(skip_locked=True)
    noted = update(KeySession).where(KeySession.token_hash == free.scalar_subquery())
    connection.execute(noted.values(last_used_at=func.now()))


def end_session(session: Session, token_hash: str) -> None:
    session.execute(
        delete(KeySession)
        .where(KeySession.token_hash == token_hash)
        .execution_options(synchronize_session=False)
    )


def has_ended() -> ColumnElement[bool]:
    """Which sessions nobody can use any more, whatever became of their keys."""
    return or_(KeySession.ends_at <= func.now(), KeySession.last_used_at < func.now() - IDLE)
