"""The session of the person who asks: shown, ended, and their password."""

from flask import Response

from shared.errors import Forbidden
from shared.people import sessions, users
from web import session_cookie
from web.api.resource import create_personal_blueprint, problem_responses
from web.auth import (
    current_caller,
    require_complete_session,
    require_person,
)
from web.http_layer.idempotency import Reply
from web.known_sessions import find_key_session, find_known_session, require_going_on
from web.people.page_session import end_session
from web.people.password_check import check_password, password_work
from web.people.views import key_session_view, own_session_view
from web.schemas.people import NewPassword, OwnSession
from web.services import current_services

api = create_personal_blueprint("session", "Your own session")


@api.get("/session", responses={200: OwnSession})
def get_own_session() -> Response:
    """Read who you are, what you may do, and the token for requests that change something"""
    token = session_cookie.read_token() or ""
    return show_session(token)


def show_session(token: str) -> Response:
    if (known := find_known_session(token)) is not None:
        return Reply(body=own_session_view(known, token)).response()
    if (signed_in := find_key_session(token)) is not None:
        return Reply(body=key_session_view(signed_in, token)).response()
    raise Forbidden("This session has ended: sign in again", code="session_ended")


@api.delete("/session", responses={204: None})
def end_own_session() -> Response:
    """Sign out here"""
    with current_services().database.transaction() as session:
        end_session(session)
    response = Response(status=204)
    session_cookie.clear_token(response)
    return response


@api.post("/session/end-everywhere", responses={204: None})
def end_own_sessions() -> Response:
    """Sign out everywhere, here too"""
    with current_services().database.transaction() as session:
        sessions.end_sessions(session, [require_person()])
    response = Response(status=204)
    session_cookie.clear_token(response)
    return response


@api.post("/session/password", responses={200: OwnSession, **problem_responses(422)})
def change_own_password(body: NewPassword) -> Response:
    """Change your password: every other session ends, and this one gets a new cookie"""
    require_complete_session()
    ours, user_id = current_services(), require_person()
    with ours.database.transaction() as session:
        email = users.lock_user(session, user_id).email
    checked = check_password(email, body.current_password)
    if checked is None or checked.id != user_id:
        raise Forbidden(
            "The current password is wrong, or there were too many attempts: wait a moment",
            code="wrong_password",
        )
    with password_work(), ours.database.transaction() as session:
        user = users.lock_user(session, user_id)
        # a new password or second factor, meanwhile, has ended it
        require_going_on(session, current_caller().session_hash or "")
        users.set_password(session, user, body.new_password)
        token = sessions.begin_session(session, user, second_factor=user.has_second_factor)
    response = show_session(token)
    session_cookie.set_token(response, token)
    return response
