"""Signing in with a key of the API: the browser may do what the key may, while the key may."""

from flask import request

from shared.errors import Unauthorized
from shared.people import key_sessions
from shared.people.key_sessions import KnownKeySession
from web import session_cookie
from web.audit_trail import begin_key_change
from web.auth import Caller, find_key
from web.known_sessions import find_key_session
from web.people.page_session import end_session
from web.services import current_services

WRONG = (
    "This API key is unknown, has expired or was revoked, or there were too many attempts: wait a "
    "bit, or ask for another key"
)


def begin_session(key: str) -> str:
    """A new session in place of the browser's; its token.

    Wrong keys count as they do at the API, and right ones as right passwords do, so that nobody
    begins sessions without end. Raises `Unauthorized`, and `TooManyRequests` for either.
    """
    ours, address = current_services(), request.remote_addr or ""
    ours.rates.refuse_passwords(address)
    row = find_key(key)
    ours.rates.count_request(Caller.of_key(row).reference)
    with ours.database.transaction() as session:
        begun = key_sessions.begin_session(session, key)
        if begun is None:
            raise Unauthorized("This API key has just ended")
        row, token = begun
        begin_key_change(row)
        end_session(session)
    ours.rates.note_password(address)
    return token


def current_key_session() -> KnownKeySession | None:
    """Of a browser that a key has signed in. Raises `TooManyRequests`."""
    cookie = session_cookie.read_token()
    if cookie is None or not key_sessions.is_token(cookie):
        return None
    known = find_key_session(cookie)
    if known is not None:
        current_services().rates.count_request(Caller.of_key(known.key).reference)
    return known
