"""Users: made, found and changed; whatever makes them less or other ends their sessions."""

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.crypto import hash_secret
from shared.errors import Conflict
from shared.models import OneTimeLink, User
from shared.people import sessions
from shared.people.openid_identity import Identity
from shared.people.passwords import hash_password
from shared.people.roles import ADMIN


def plain_email(email: str) -> str:
    return email.strip().lower()


def create_user(
    session: Session, *, email: str, name: str, role: str, profile_ids: list[str] | None
) -> User:
    """Raises `Conflict` if the email is taken."""
    user = User(email=plain_email(email), name=name, role=role, profile_ids=profile_ids)
    try:
        with session.begin_nested():
            session.add(user)
            session.flush()
    except IntegrityError as error:
        raise Conflict("Somebody has this email already", code="email_taken") from error
    session.refresh(user)
    return user


def find_openid_user(session: Session, issuer: str, identity: Identity) -> User | None:
    """By who they are at the issuer; at the first time by their email, if it has checked that."""
    subject = hash_secret("openid", issuer, identity.subject)
    known = session.scalar(select(User).where(User.oidc_subject == subject))
    if known is not None or identity.email is None or not identity.email_verified:
        return known
    email = plain_email(identity.email)
    if email.isascii() and not identity.email.isascii():
        return None  # another mailbox: the Kelvin sign, for one, is a "k" in small letters only
    by_email = User.email == email
    query = select(User).where(by_email, User.disabled.is_(False))
    found = session.scalar(query.with_for_update(key_share=True))
    if found is None or found.oidc_subject not in {None, subject}:
        return None
    found.oidc_subject = subject  # also where a request beside this one has just set it
    return found


def change_user(
    session: Session,
    user: User,
    *,
    name: str,
    role: str,
    profile_ids: list[str] | None,
    disabled: bool,
) -> None:
    """`user` must be locked. Sessions and links end, if they could open something else.

    Whoever has made a link for somebody with few rights must not open more rights with it.
    """
    before = user.role, user.profile_ids, user.disabled
    user.name, user.role, user.profile_ids, user.disabled = name, role, profile_ids, disabled
    if (role, profile_ids, disabled) != before:
        sessions.end_sessions(session, [user.id])
        _drop_links(session, user)
    session.flush()


def delete_user(session: Session, user_id: int) -> None:
    """With their sessions, links and calendars. Raises `Conflict` for the last admin."""
    admins = select(User).where(User.role == ADMIN, User.disabled.is_(False)).order_by(User.id)
    waiting = admins.with_for_update().execution_options(populate_existing=True)
    locked = session.scalars(waiting).all()  # of two who delete each other, one waits here
    going = [admin for admin in locked if admin.id == user_id]
    staying = [admin for admin in locked if admin.id != user_id]
    if going and not any(_sees_as_much(admin, going[0]) for admin in staying):
        message = "This is the last admin: make somebody else an admin first"
        raise Conflict(message, code="last_admin")
    session.execute(delete(User).where(User.id == user_id))


def _sees_as_much(user: User, other: User) -> bool:
    visible = VisibleProfiles(None if user.profile_ids is None else frozenset(user.profile_ids))
    return visible.ids is None or visible.sees_all(other.profile_ids)


def set_password(session: Session, user: User, password: str) -> None:
    """Every session ends, and links that would set it once more. Raises `Unprocessable`."""
    user.password_hash = hash_password(password)
    user.failures, user.next_attempt_at = 0, session.scalars(select(func.now())).one()
    sessions.end_sessions(session, [user.id])
    _drop_links(session, user)
    session.flush()


def reset_second_factor(session: Session, user: User) -> None:
    user.totp_secret, user.recovery_hashes = None, []
    sessions.end_sessions(session, [user.id])
    session.flush()


def lock_user(session: Session, user_id: int) -> User:
    """Of a user who exists: nobody else changes the row before we commit."""
    query = select(User).where(User.id == user_id).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one()


def forget_profile(session: Session, profile_id: str) -> None:
    """A profile is being deleted: whoever was bound to it alone sees nothing any more."""
    bound = User.profile_ids.contains([profile_id])
    fewer = func.array_remove(User.profile_ids, profile_id)
    session.execute(update(User).where(bound).values(profile_ids=fewer))


def _drop_links(session: Session, user: User) -> None:
    links = select(OneTimeLink).where(OneTimeLink.user_id == user.id)
    for link in session.scalars(links):
        session.delete(link)
