"""The way to the OpenID Connect provider and back."""

from flask import Response, after_this_request, request
from pydantic import ValidationError

from shared.errors import NotFound, SecretUnreadable, Unavailable
from shared.people import users
from shared.people.openid_identity import Identity
from shared.people.openid_provider import Attempt, OpenIdProvider
from web import session_cookie
from web.audit_trail import begin_personal_change
from web.http_layer.request import is_clean
from web.people.page_blueprint import create_page_blueprint
from web.people.page_session import go_to
from web.people.sign_in_pages import OPENID, admit_user, sign_in_page
from web.services import current_services

pages = create_page_blueprint("openid")
#: Of a browser that was sent to the provider; sealed, and of use for as long as it lives there.
ATTEMPT_COOKIE = "pressroom_openid"
_ATTEMPT_SECONDS = 600
_LONGEST_CODE = 4096


@pages.get(OPENID)
def send_to_provider() -> Response:
    ours = current_services()
    with ours.openid_calls.place():
        url, attempt = _provider().begin()
    response = go_to(url)
    sealed = ours.box.seal(attempt.model_dump_json())
    session_cookie.set_cookie(response, ATTEMPT_COOKIE, sealed, seconds=_ATTEMPT_SECONDS)
    return response


@pages.get(f"{OPENID}/callback")
def come_back() -> Response:
    """An attempt is good for one answer: its cookie goes, whatever becomes of it."""
    after_this_request(_forget_attempt)
    return _admit_whoever_came()


def _forget_attempt(response: Response) -> Response:
    response.delete_cookie(ATTEMPT_COOKIE)
    return response


def _admit_whoever_came() -> Response:
    provider, attempt = _provider(), _read_attempt()
    code, state = (request.args.get(name, "") for name in ("code", "state"))
    if attempt is None or not session_cookie.is_same(state, attempt.state):
        return sign_in_page("Your sign-in took too long, or was begun elsewhere: begin again")
    if not 0 < len(code) <= _LONGEST_CODE or not is_clean(code):
        return sign_in_page("Your organization's sign-in was not finished: begin again")
    identity = _ask(provider, attempt, code)
    with current_services().database.transaction() as session:
        user = users.find_openid_user(session, provider.issuer, identity)
        if user is None:
            problem = "Nobody here has your email: ask an admin to make you a user"
            return sign_in_page(problem, status=403)
        begin_personal_change(user)
    return admit_user(user.id, password_hash=user.password_hash)


def _provider() -> OpenIdProvider:
    """Raises `NotFound` where there is none."""
    provider = current_services().openid
    if provider is None:
        raise NotFound("People sign in with passwords here")
    return provider


def _read_attempt() -> Attempt | None:
    box = current_services().box
    try:
        opened = box.open(request.cookies.get(ATTEMPT_COOKIE, ""), seconds=_ATTEMPT_SECONDS)
        return Attempt.model_validate_json(opened)
    except (SecretUnreadable, ValidationError):
        return None


def _ask(provider: OpenIdProvider, attempt: Attempt, code: str) -> Identity:
    """Made-up codes cost a call each: an address with too many is not heard for a while."""
    ours, address = current_services(), request.remote_addr or ""
    ours.rates.refuse_guesses(address, "openid")
    with ours.openid_calls.place():
        try:
            return provider.identify(attempt, code)
        except Unavailable:
            ours.rates.note_failure(address, "openid")
            raise
