"""The sessions that go on, found by the cookie's token, and their use noted."""

from sqlalchemy.orm import Session

from shared.access import api_keys
from shared.errors import Forbidden
from shared.people import key_sessions, sessions
from shared.people.key_sessions import KnownKeySession
from shared.people.sessions import KnownSession
from web.services import current_services


def find_known_session(cookie: str) -> KnownSession | None:
    """A person's session that goes on, whose use is noted; else None."""
    database = current_services().database
    with database.transaction() as session:
        known = sessions.find_session(session, cookie)
    if known is not None and known.is_use_due:
        with database.statements() as connection:
            sessions.note_use(connection, known.row.token_hash)
    return known


def find_key_session(cookie: str) -> KnownKeySession | None:
    """The session of a browser that a key has signed in, if it goes on; its use is noted."""
    database = current_services().database
    with database.transaction() as session:
        known = key_sessions.find_session(session, cookie)
    if known is not None and known.is_use_due:
        with database.statements() as connection:
            key_sessions.note_use(connection, known.row.token_hash)
            api_keys.note_use(connection, known.key.id)
    return known


def require_going_on(session: Session, session_hash: str) -> None:
    """Of a person whose row is locked, so that nothing ends it before we commit.

    Raises `Forbidden`, also for what has ended since it was accepted.
    """
    if not sessions.is_in_force(session, session_hash):
        raise Forbidden("This session has ended: sign in again", code="session_ended")
