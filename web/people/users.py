"""Users: made and invited by an admin, changed, and disabled."""

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.access.visible_profiles import keep_visible_profiles, load_visible
from shared.errors import Conflict, Forbidden
from shared.models import User
from shared.people import one_time_links, sessions
from shared.people import users as people
from web.api.resource import create_blueprint, problem_responses
from web.auth import USER, current_caller
from web.http_layer.idempotency import Reply, answer_once
from web.http_layer.pagination import PageQuery, next_cursor, page_query
from web.paths import PREFIX
from web.people.views import user_view
from web.schemas.common import IdPath, Page
from web.schemas.people import InvitedUser, NewUser, UserPatch, UserView
from web.services import current_services

api = create_blueprint("users", "People who sign in", read="admin", write="admin")


@api.post("/users", responses={201: InvitedUser, **problem_responses(409, 422)})
def create_user(body: NewUser) -> Response:
    """Create a user, with no more than you have; the link that sets a password is shown this once

    Put it behind the address of Pressroom. Whoever signs in by OpenID Connect needs no link.
    """
    _require_lasting()
    return answer_once(lambda session: _insert_user(session, body))


def _insert_user(session: Session, body: NewUser) -> Reply:
    user = people.create_user(
        session,
        email=body.email,
        name=body.name,
        role=body.role,
        profile_ids=keep_visible_profiles(session, body.profile_ids, current_caller().visible),
    )
    headers = {"Location": f"{PREFIX}/users/{user.id}"}
    return Reply(body=_invite_user(session, user), status=201, headers=headers)


def _invite_user(session: Session, user: User) -> InvitedUser:
    path, link = one_time_links.invite_user(session, user)
    shown = user_view(user).model_dump()
    return InvitedUser(**shown, link=path, link_valid_until=link.valid_until)


@api.get("/users", responses={200: Page[UserView]})
def list_users(query: PageQuery) -> Response:
    """List the people who may sign in"""
    own = select(User).where(current_caller().visible.condition(User))
    with current_services().database.transaction() as session:
        rows = session.scalars(page_query(own, User.id, query)).all()
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    shown = [user_view(row) for row in rows]
    return Reply(body=Page[UserView](items=shown, next_cursor=onward)).response()


@api.get("/users/<id>", responses={200: UserView})
def get_user(path: IdPath) -> Response:
    """Read a user"""
    with current_services().database.transaction() as session:
        user = _require_visible_user(session, path.id)
    return Reply(body=user_view(user)).response()


@api.patch("/users/<id>", responses={200: UserView, **problem_responses(409, 422)})
def change_user(path: IdPath, body: UserPatch) -> Response:
    """Change a user, or disable them; another role, profiles or `disabled` end their sessions"""
    _require_lasting()
    with current_services().database.transaction() as session:
        user = _require_visible_user(session, path.id, lock=True)
        _apply_patch(session, user, body)
        session.refresh(user)
    return Reply(body=user_view(user)).response()


def _apply_patch(session: Session, user: User, body: UserPatch) -> None:
    given = body.model_fields_set
    if _is_oneself(user) and given - {"name"}:
        raise Conflict("Of yourself, you change only the name here", code="own_user")
    profile_ids = user.profile_ids
    if "profile_ids" in given:
        visible = current_caller().visible
        profile_ids = keep_visible_profiles(session, body.profile_ids, visible)
    people.change_user(
        session,
        user,
        name=body.name if "name" in given else user.name,
        role=body.role if "role" in given else user.role,
        profile_ids=profile_ids,
        disabled=body.disabled if "disabled" in given else user.disabled,
    )
    if body.reset_second_factor:
        people.reset_second_factor(session, user)


@api.delete("/users/<id>", responses={204: None, **problem_responses(409)})
def delete_user(path: IdPath) -> Response:
    """Delete a user, with their sessions, links and calendars; what they did stays in the audit"""
    _require_lasting()
    with current_services().database.transaction() as session:
        user = _require_visible_user(session, path.id)
        if _is_oneself(user):
            raise Conflict("You cannot delete yourself: another admin can", code="own_user")
        people.delete_user(session, user.id)
    return Response(status=204)


@api.post("/users/<id>/invite", responses={200: InvitedUser, **problem_responses(409)})
def invite_user(path: IdPath) -> Response:
    """Make a link that sets a new password once, shown this once; an earlier link ends"""
    _require_lasting()
    return answer_once(
        lambda session: Reply(body=_invite_user(session, _require_enabled_user(session, path.id)))
    )


@api.post("/users/<id>/end-sessions", responses={204: None})
def end_user_sessions(path: IdPath) -> Response:
    """Sign a user out everywhere"""
    with current_services().database.transaction() as session:
        user = _require_visible_user(session, path.id, lock=True)
        sessions.end_sessions(session, [user.id])
    return Response(status=204)


def _is_oneself(user: User) -> bool:
    return (USER, user.id) == (current_caller().kind, current_caller().id)


def _require_lasting() -> None:
    """A user would outlive a key that expires."""
    if current_caller().expires_at is not None:
        raise Forbidden("A key that expires makes and changes no users")


def _require_enabled_user(session: Session, user_id: str) -> User:
    user = _require_visible_user(session, user_id, lock=True)
    if user.disabled:
        raise Conflict("This user is disabled: enable them first", code="user_disabled")
    return user


def _require_visible_user(session: Session, user_id: str, *, lock: bool = False) -> User:
    return load_visible(session, User, user_id, current_caller().visible, lock=lock)
