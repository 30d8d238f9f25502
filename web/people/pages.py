"""The pages to sign in and out, and to use a link that works once."""

from flask import Blueprint, Response, redirect
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from shared.errors import NotFound, RequestError
from shared.people import attempts, one_time_links, sessions, users
from web import session_cookie
from web.auth import find_known_session
from web.people.rendering import EMAIL, NAME, NEW_PASSWORD, PASSWORD, read_form, show_page
from web.schemas.people import Email
from web.services import current_services

pages = Blueprint("people", __name__)
SIGN_IN, SECOND_FACTOR, SIGN_OUT = "/sign-in", "/sign-in/second-factor", "/sign-out"
_EMAIL = TypeAdapter[str](Email)


@pages.get(SIGN_IN)
def show_sign_in() -> Response:
    return _sign_in_page()


def _sign_in_page(problem: str = "", *, status: int = 200) -> Response:
    return show_page(
        "Sign in", fields=(EMAIL, PASSWORD), button="Sign in", problem=problem, status=status
    )


@pages.post(SIGN_IN)
def sign_in() -> Response:
    email, password = read_form(EMAIL, PASSWORD)
    ours = current_services()
    with ours.sign_ins.place():
        user = attempts.check_password(ours.database, email, password)
    if user is None:
        problem = "The email or the password is wrong, or there were too many attempts: wait a bit"
        return _sign_in_page(problem, status=401)
    return begin_session(user.id, password_hash=user.password_hash)


def begin_session(user_id: int, *, password_hash: str | None) -> Response:
    """A new session in place of the browser's; nothing if the user was changed meanwhile."""
    with current_services().database.transaction() as session:
        user = users.lock_user(session, user_id)
        if user.disabled or user.password_hash != password_hash:
            return _sign_in_page("Sign in again", status=401)
        attempts.note_success(user, session)
        _end_current(session)
        token = sessions.begin_session(session, user)
        known = sessions.find_session(session, token)
    complete = known is not None and known.is_complete
    response = _go_to("/" if complete else SECOND_FACTOR)
    session_cookie.set_token(response, token)
    return response


@pages.get(SIGN_OUT)
def show_sign_out() -> Response:
    return show_page("Sign out", fields=(), button="Sign out")


@pages.post(SIGN_OUT)
def sign_out() -> Response:
    read_form()
    with current_services().database.transaction() as session:
        _end_current(session)
    response = _go_to(SIGN_IN)
    session_cookie.clear_token(response)
    return response


@pages.get(f"{one_time_links.PATH}<token>")
def show_link(token: str) -> Response:
    return _link_page(token)


def _link_page(token: str, problem: str = "", *, status: int = 200) -> Response:
    with current_services().database.transaction() as session:
        is_first = one_time_links.find_link(session, token).user_id is None
    fields = (EMAIL, NAME, NEW_PASSWORD) if is_first else (NEW_PASSWORD,)
    title = "Make the first admin" if is_first else "Set your password"
    return show_page(title, fields=fields, button="Save", problem=problem, status=status)


@pages.post(f"{one_time_links.PATH}<token>")
def use_link(token: str) -> Response:
    email, name, password = read_form(EMAIL, NAME, NEW_PASSWORD)
    ours = current_services()
    with ours.database.transaction() as session:
        is_first = one_time_links.find_link(session, token).user_id is None
    try:
        if is_first:
            _EMAIL.validate_python(email)
        with ours.sign_ins.place(), ours.database.transaction() as session:
            one_time_links.use_link(
                session, token, password=password, email=email, name=name[:200] or email
            )
    except ValidationError:
        return _link_page(token, "This is not an email", status=422)
    except NotFound:
        raise
    except RequestError as error:
        return _link_page(token, error.message, status=422)
    return _go_to(SIGN_IN)


def _end_current(session: Session) -> None:
    cookie = session_cookie.read_token()
    if cookie is not None:
        sessions.end_session(session, sessions.hash_token(cookie))


def current_session() -> sessions.KnownSession | None:
    cookie = session_cookie.read_token()
    return None if cookie is None else find_known_session(cookie)


def _go_to(path: str) -> Response:
    response = redirect(path, 303)
    assert isinstance(response, Response)
    return response
