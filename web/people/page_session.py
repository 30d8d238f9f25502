"""The session of whoever looks at a page: found, begun, completed, ended."""

from flask import Response, redirect, request
from sqlalchemy.orm import Session

from shared.models import User
from shared.people import attempts, key_sessions, sessions
from web import session_cookie
from web.audit_trail import begin_personal_change
from web.auth import Caller, find_session_caller
from web.http_layer.request import is_clean
from web.known_sessions import find_known_session
from web.services import current_services

SIGN_IN, SECOND_FACTOR, ACCOUNT = "/sign-in", "/sign-in/second-factor", "/account"
#: Where people are led who have signed in, and came from no page.
HOME = "/"
#: The page that somebody wanted to see, until they have signed in.
WANTED_COOKIE = "pressroom_wanted"
_WANTED_SECONDS = 600
_LONGEST_PATH = 2000


def current_reader() -> Caller | None:
    """Who looks at a page: a person, or a key that has signed in. Raises `TooManyRequests`."""
    cookie = session_cookie.read_token()
    caller = None if cookie is None else find_session_caller(cookie)
    if caller is not None:
        current_services().rates.count_request(caller.reference)
    return caller


def current_session() -> sessions.KnownSession | None:
    """Of a person. Raises `TooManyRequests`: pages count as requests, as the API does."""
    cookie = session_cookie.read_token()
    known = None if cookie is None else find_known_session(cookie)
    if known is not None:
        current_services().rates.count_request(Caller.of_session(known).reference)
    return known


def begin_session(session: Session, user: User) -> str:
    """A new session in place of the browser's; its token. `user` must be locked.

    The attempts count on while a second factor is missing: who has the password alone must not
    start counting anew with each sign-in.
    """
    begin_personal_change(user)
    end_session(session)
    token = sessions.begin_session(session, user)
    known = sessions.find_session(session, token)
    if known is not None and known.is_complete:
        attempts.note_success(user, session)
    return token


def complete_session(session: Session, user: User) -> str:
    """The second factor was given: a new session in place of the browser's; its token."""
    begin_personal_change(user)
    attempts.note_success(user, session)
    end_session(session)
    return sessions.begin_session(session, user, second_factor=True)


def end_session(session: Session) -> None:
    cookie = session_cookie.read_token()
    if cookie is not None:
        ended = key_sessions if key_sessions.is_token(cookie) else sessions
        ended.end_session(session, sessions.hash_token(cookie))


def go_to(path: str, *, token: str | None = None) -> Response:
    """`token`: of the session that has begun."""
    response = redirect(path, 303)
    assert isinstance(response, Response)
    if token is not None:
        session_cookie.set_token(response, token)
    return response


def lead_to(path: str) -> Response:
    """To a step of the sign-in, after which the page of this request is shown."""
    response = go_to(path)
    wanted = request.full_path.removesuffix("?")
    if request.method == "GET" and _is_page_of_ours(wanted):
        session_cookie.set_cookie(response, WANTED_COOKIE, wanted, seconds=_WANTED_SECONDS)
    return response


def go_on(token: str) -> Response:
    """After the sign-in whose session has begun: to the page that was wanted, else home."""
    wanted = request.cookies.get(WANTED_COOKIE, "")
    response = go_to(wanted if _is_page_of_ours(wanted) else HOME, token=token)
    if wanted:
        response.delete_cookie(WANTED_COOKIE)
    return response


def _is_page_of_ours(path: str) -> bool:
    """Browsers take `//host` and `/\\host` for another host; a cookie may be anybody's."""
    is_path = path.startswith("/") and path[1:2] not in {"/", "\\"}
    return is_path and len(path) <= _LONGEST_PATH and is_clean(path) and path.isprintable()
