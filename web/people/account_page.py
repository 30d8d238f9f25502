"""One's own account, and its second factor."""

import segno
from flask import Response

from shared.models import ApiKey
from shared.people import attempts, second_factor, sessions, users
from shared.people.sessions import KnownSession
from web import session_cookie
from web.known_sessions import require_going_on
from web.people.key_sign_in import current_key_session
from web.people.page_blueprint import create_page_blueprint
from web.people.page_session import (
    ACCOUNT,
    HOME,
    SECOND_FACTOR,
    SIGN_IN,
    complete_session,
    current_session,
    go_on,
    go_to,
    lead_to,
)
from web.people.rendering import CODE, PRESENT_CODE, SEALED, Link, read_form, show_page
from web.people.sign_in_pages import SIGN_OUT
from web.services import current_services

pages = create_page_blueprint("account")
WRONG = "This code is not right, or was used already, or there were too many attempts: wait a bit"

_WHY = "Your role needs one: besides your password, a code that only your phone knows."
_HOW = (
    "Scan this with an authenticator app, or type the secret into it. Then enter the code that it"
    " shows."
)


@pages.get(ACCOUNT)
def show_account() -> Response:
    known = current_session()
    if known is None:
        signed_in = current_key_session()
        return lead_to(SIGN_IN) if signed_in is None else _key_page(signed_in.key)
    if not known.is_complete:
        return lead_to(SECOND_FACTOR)
    user = known.user
    links = (
        Link(HOME, "Home"),
        Link("/docs/api", "The API"),
        Link(SECOND_FACTOR, "Second factor: " + ("on" if user.has_second_factor else "off")),
        Link(SIGN_OUT, "Sign out"),
    )
    whose = _name_profiles(user.profile_ids)
    lines = (f"{user.name} <{user.email}>", f"Role: {user.role}, for {whose}")
    return show_page("Your account", lines=lines, links=links)


def _name_profiles(profile_ids: list[str] | None) -> str:
    if profile_ids is None:
        return "all profiles"
    return ", ".join(profile_ids) or "no profile"


def _key_page(key: ApiKey) -> Response:
    """A key has no password, and no second factor."""
    lines = (
        f"Signed in with the API key {key.name!r}",
        f"Scopes: {', '.join(key.scopes)}, for {_name_profiles(key.profile_ids)}",
        "This session ends with the key, after two hours without a request, or after a day.",
    )
    links = (Link(HOME, "Home"), Link("/docs/api", "The API"), Link(SIGN_OUT, "Sign out"))
    return show_page("Your account", lines=lines, links=links)


@pages.get(SECOND_FACTOR)
def show_second_factor() -> Response:
    known = current_session()
    return go_to(SIGN_IN) if known is None else _second_factor_page(known)


def _second_factor_page(
    known: KnownSession, *, sealed: str = "", problem: str = "", status: int = 200
) -> Response:
    """Of a session that needs a code, its form; of any other, an enrolment."""
    if known.second_factor == "needed":
        line = "The code that your app shows, or one of your recovery codes."
        return show_page(
            "Second factor",
            lines=(line,),
            fields=(CODE,),
            button="Go on",
            problem=problem,
            status=status,
        )
    box, holder = current_services().box, known.row.token_hash
    enrolment = second_factor.open_enrolment(box, known.user, holder, sealed)
    enrolment = enrolment or second_factor.new_enrolment(box, known.user, holder)
    return show_page(
        "Set up your second factor",
        lines=(*(() if known.is_complete else (_WHY,)), _HOW, enrolment.secret),
        links=()
        if known.is_complete
        else (Link(SIGN_OUT, "Sign out, or sign in with an API key"),),
        image=segno.make_qr(enrolment.uri).svg_data_uri(scale=4, light="white"),
        image_label="The secret, for the camera of your phone",
        hidden={SEALED.name: enrolment.sealed},
        fields=(PRESENT_CODE, CODE) if known.user.has_second_factor else (CODE,),
        button="Turn it on",
        problem=problem,
        status=status,
    )


@pages.post(SECOND_FACTOR)
def give_second_factor() -> Response:
    code, present, sealed = read_form(CODE, PRESENT_CODE, SEALED)
    known = current_session()
    if known is None:
        return go_to(SIGN_IN)
    if not attempts.count_second_attempt(current_services().database, known.user.id):
        return _second_factor_page(known, sealed=sealed, problem=WRONG, status=429)
    if known.second_factor == "needed":
        return _use_code(known, code)
    return _enrol(known, code, sealed, present=present)


def _use_code(known: KnownSession, code: str) -> Response:
    ours = current_services()
    with ours.database.transaction() as session:
        user = users.lock_user(session, known.user.id)
        require_going_on(session, known.row.token_hash)
        right = second_factor.use_code(ours.box, user, code)
        token = complete_session(session, user) if right else None
    if token is None:
        return _second_factor_page(known, problem=WRONG, status=401)
    return go_on(token)


def _enrol(known: KnownSession, code: str, sealed: str, *, present: str) -> Response:
    """All other sessions end: they were begun without this factor.

    `present`: a code of the factor that it replaces, so that a browser that was left open is not
    enough to put another's app in its place.
    """
    ours = current_services()
    with ours.database.transaction() as session:
        user = users.lock_user(session, known.user.id)
        require_going_on(session, known.row.token_hash)
        enrolment = second_factor.open_enrolment(ours.box, user, known.row.token_hash, sealed)
        may = not user.has_second_factor or second_factor.use_code(ours.box, user, present)
        codes = (
            may and enrolment and second_factor.confirm_enrolment(ours.box, user, enrolment, code)
        )
        if not codes:
            session.rollback()  # the present code is still of use
        else:
            sessions.end_sessions(session, [user.id])
            token = complete_session(session, user)
    if not codes:
        return _second_factor_page(known, sealed=sealed, problem=WRONG, status=401)
    page = show_page(
        "Your recovery codes",
        lines=(
            "If you lose your app, each of these signs you in once. They are shown only now: print "
            "them, or put them where you keep your passwords.",
        ),
        items=codes,
        links=(Link(HOME, "Go on"),),
    )
    session_cookie.set_token(page, token)
    return page
