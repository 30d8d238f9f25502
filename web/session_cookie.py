"""The cookie of a session, and the token that forms and unsafe requests must repeat (CSRF)."""

import hmac

from flask import Response, request

from shared.crypto import hash_secret
from shared.people import sessions
from web.services import current_services

NAME = "pressroom_session"
CSRF_HEADER = "X-CSRF-Token"


def read_token() -> str | None:
    return request.cookies.get(NAME) or None


def set_token(response: Response, token: str) -> None:
    """After a sign-in, or when more is known of the person: never the token that came before."""
    set_cookie(response, NAME, token, seconds=int(sessions.LONGEST.total_seconds()))


def set_cookie(response: Response, name: str, value: str, *, seconds: int) -> None:
    """For no script, for our own pages only, and encrypted on its way where the pages are."""
    response.set_cookie(
        name, value, max_age=seconds, httponly=True, samesite="Lax", secure=_is_https()
    )


def clear_token(response: Response) -> None:
    response.delete_cookie(NAME, httponly=True, samesite="Lax", secure=_is_https())


def _is_https() -> bool:
    public = current_services().settings.public_url
    return request.is_secure or (public is not None and public.startswith("https://"))


def csrf_token(cookie: str) -> str:
    """Another site can have the cookie sent, but can read neither it nor this."""
    return hash_secret("csrf", cookie)


def is_csrf_token(given: str, cookie: str) -> bool:
    return is_same(given, csrf_token(cookie))


def is_same(given: str, right: str) -> bool:
    """Takes as long for what is wrong at its beginning as at its end."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())
