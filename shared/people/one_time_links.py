"""Links that work once: they set a password, or make the first admin while nobody exists."""

import secrets
from datetime import timedelta

from sqlalchemy import delete, exists, func, select, text
from sqlalchemy.orm import Session

from shared.crypto import hash_secret
from shared.errors import NotFound
from shared.models import OneTimeLink, User
from shared.people import users
from shared.people.roles import ADMIN

PATH = "/sign-in/link/"
INVITATION_LASTS = timedelta(days=3)
FIRST_ADMIN_LASTS = timedelta(hours=1)


def invite_user(session: Session, user: User) -> tuple[str, OneTimeLink]:
    """The path of a new link, which cannot be read again; earlier ones of the user end."""
    return _make_link(session, user.id, INVITATION_LASTS)


def invite_first_admin(session: Session) -> str | None:
    """The path of a link that makes the first admin; None if somebody exists."""
    if has_users(session):
        return None
    path, _ = _make_link(session, None, FIRST_ADMIN_LASTS)
    return path


def has_users(session: Session) -> bool:
    return bool(session.scalar(select(exists(select(User.id)))))


def find_link(session: Session, token: str) -> OneTimeLink:
    """Raises `NotFound` for a link that is unknown, used, or too old."""
    query = select(OneTimeLink).where(OneTimeLink.token_hash == hash_secret(token))
    link = session.scalar(query.where(OneTimeLink.valid_until > func.now()))
    if link is None or (link.user_id is None and has_users(session)):
        raise NotFound("This link was used already, or is too old: ask for a new one")
    return link


def use_link(session: Session, token: str, *, password: str, email: str, name: str) -> User:
    """Set the password; `email` and `name` are the first admin's, and else not looked at.

    Of two who use it at once, one gets `NotFound`, as for a link that does not work.
    Raises `Unprocessable` for a bad password; then the link still works.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('first admin', 28))"))
    link = find_link(session, token)
    # the user before the link, as everybody does who ends links: else both may wait for each other
    user = None if link.user_id is None else users.lock_user(session, link.user_id)
    taken = delete(OneTimeLink).where(OneTimeLink.token_hash == link.token_hash)
    if session.scalar(taken.returning(OneTimeLink.user_id.is_(None))) is None:
        raise NotFound("This link was used already")
    session.expunge(link)
    if user is None:
        user = users.create_user(session, email=email, name=name, role=ADMIN, profile_ids=None)
    users.set_password(session, user, password)
    return user


def _make_link(session: Session, user_id: int | None, lasts: timedelta) -> tuple[str, OneTimeLink]:
    earlier = OneTimeLink.user_id.is_not_distinct_from(user_id)
    session.execute(delete(OneTimeLink).where(earlier))
    token = secrets.token_urlsafe(32)
    link = OneTimeLink(token_hash=hash_secret(token), user_id=user_id)
    link.valid_until = session.scalars(select(func.now() + lasts)).one()
    session.add(link)
    session.flush()
    return f"{PATH}{token}", link
