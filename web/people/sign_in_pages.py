"""The pages to sign in and out, to use a link that works once, and of one's own account."""

from flask import Response, request
from pydantic import TypeAdapter, ValidationError

from shared.errors import NotFound, RequestError, TooManyRequests, Unauthorized
from shared.log import get_logger
from shared.people import one_time_links, users
from web import session_cookie
from web.audit_trail import begin_key_change, begin_personal_change
from web.people import key_sign_in
from web.people.page_blueprint import create_page_blueprint
from web.people.page_session import (
    SIGN_IN,
    begin_session,
    current_session,
    end_session,
    go_on,
    go_to,
)
from web.people.password_check import check_password, password_work
from web.people.rendering import (
    EMAIL,
    KEY,
    NAME,
    NEW_PASSWORD,
    SIGN_IN_EMAIL,
    SIGN_IN_PASSWORD,
    Link,
    read_form,
    show_page,
)
from web.schemas.people import Email
from web.services import current_services

pages = create_page_blueprint("sign_in")
SIGN_OUT, OPENID = "/sign-out", "/sign-in/openid"
WRONG = "The email or the password is wrong, or there were too many attempts: wait a bit"
_EMAIL = TypeAdapter[str](Email)

log = get_logger("people")


@pages.get(SIGN_IN)
def show_sign_in() -> Response:
    return sign_in_page()


def sign_in_page(problem: str = "", *, status: int = 200) -> Response:
    by_provider = current_services().openid is not None
    links = (Link(OPENID, "Sign in with your organization"),) if by_provider else ()
    return show_page(
        "Sign in",
        fields=(SIGN_IN_EMAIL, SIGN_IN_PASSWORD, KEY),
        button="Sign in",
        links=links,
        problem=problem,
        status=status,
    )


@pages.post(SIGN_IN)
def sign_in() -> Response:
    email, password, key = read_form(SIGN_IN_EMAIL, SIGN_IN_PASSWORD, KEY)
    if key.strip():
        return _sign_in_with_key(key.strip())
    try:
        user = check_password(email, password)
    except TooManyRequests:
        return sign_in_page(WRONG, status=429)
    if user is None:
        log.info("a sign-in was refused", address=request.remote_addr)
        return sign_in_page(WRONG, status=401)
    return admit_user(user.id, password_hash=user.password_hash)


def _sign_in_with_key(key: str) -> Response:
    """It opens what the key opens, for as long as the key does."""
    try:
        token = key_sign_in.begin_session(key)
    except TooManyRequests:
        return sign_in_page(key_sign_in.WRONG, status=429)
    except Unauthorized:
        log.info("a sign-in was refused", address=request.remote_addr)
        return sign_in_page(key_sign_in.WRONG, status=401)
    return go_on(token)


def admit_user(user_id: int, *, password_hash: str | None) -> Response:
    """Begin a session, unless the user was changed since it was found out who they are."""
    with current_services().database.transaction() as session:
        user = users.lock_user(session, user_id)
        if user.disabled or user.password_hash != password_hash:
            return sign_in_page("Sign in again", status=401)
        token = begin_session(session, user)
    return go_on(token)


@pages.get(SIGN_OUT)
def show_sign_out() -> Response:
    return show_page("Sign out", fields=(), button="Sign out")


@pages.post(SIGN_OUT)
def sign_out() -> Response:
    read_form()
    known = current_session()
    if known is not None:
        with current_services().database.transaction() as session:
            begin_personal_change(known.user)
            end_session(session)
    elif (signed_in := key_sign_in.current_key_session()) is not None:
        with current_services().database.transaction() as session:
            begin_key_change(signed_in.key)
            end_session(session)
    response = go_to(SIGN_IN)
    session_cookie.clear_token(response)
    return response


@pages.get(f"{one_time_links.PATH}<token>")
def show_link(token: str) -> Response:
    return _link_page(token)


def _link_page(token: str, problem: str = "", *, status: int = 200) -> Response:
    is_first = _is_first_admins(token)
    fields = (EMAIL, NAME, NEW_PASSWORD) if is_first else (NEW_PASSWORD,)
    title = "Make the first admin" if is_first else "Set your password"
    return show_page(title, fields=fields, button="Save", problem=problem, status=status)


def _is_first_admins(token: str) -> bool:
    with current_services().database.transaction() as session:
        return one_time_links.find_link(session, token).user_id is None


@pages.post(f"{one_time_links.PATH}<token>")
def use_link(token: str) -> Response:
    """The link is proof enough of who they are: they are signed in at once."""
    email, name, password = read_form(EMAIL, NAME, NEW_PASSWORD)
    try:
        if _is_first_admins(token):
            _EMAIL.validate_python(email)
        with password_work(), current_services().database.transaction() as session:
            user = one_time_links.use_link(
                session, token, password=password, email=email, name=name[:200] or email
            )
            session_token = begin_session(session, user)
    except ValidationError:
        return _link_page(token, "This is not an email", status=422)
    except (NotFound, TooManyRequests):
        raise
    except RequestError as error:
        return _link_page(token, error.message, status=422)
    return go_on(session_token)
