"""Users and sessions as replies show them."""

from shared.models import User
from shared.people.key_sessions import KnownKeySession
from shared.people.roles import SCOPES_OF_ROLE
from shared.people.sessions import KnownSession
from web.schemas.people import OwnKey, OwnSession, UserView
from web.session_cookie import csrf_token


def user_view(user: User) -> UserView:
    return UserView(
        id=str(user.id),
        email=user.email,
        name=user.name,
        role=user.role,
        profile_ids=user.profile_ids,
        disabled=user.disabled,
        has_password=user.password_hash is not None,
        has_second_factor=user.has_second_factor,
        last_signed_in_at=user.last_signed_in_at,
        created_at=user.created_at,
    )


def key_session_view(known: KnownKeySession, token: str) -> OwnSession:
    key = known.key
    return OwnSession(
        user=None,
        signed_in_key=OwnKey(id=str(key.id), name=key.name, profile_ids=key.profile_ids),
        scopes=key.scopes,
        second_factor="not_needed",
        csrf_token=csrf_token(token),
        ends_at=min(known.row.ends_at, key.expires_at or known.row.ends_at),
    )


def own_session_view(known: KnownSession, token: str) -> OwnSession:
    return OwnSession(
        user=user_view(known.user),
        scopes=sorted(SCOPES_OF_ROLE[known.user.role]) if known.is_complete else [],
        second_factor=known.second_factor,
        csrf_token=csrf_token(token),
        ends_at=known.row.ends_at,
    )
