"""Attempts to sign in: each is counted before it is judged, and the next one waits for longer."""

from datetime import timedelta

from sqlalchemy import ColumnElement, Float, case, cast, func, select, text, update
from sqlalchemy.orm import Session

from shared.db import Database
from shared.models import User
from shared.people.passwords import is_password
from shared.people.users import plain_email

#: So many attempts wait for nothing; then 1 s, 2 s, 4 s … up to the longest.
FREE = 5
LONGEST_DELAY = timedelta(minutes=15)
_MOST_DOUBLINGS = 10


def check_password(database: Database, email: str, password: str) -> User | None:
    """The user, if the password is right and no delay is running; None in every other case.

    What is asked at once is counted one by one, since each counts itself first. An unknown email,
    a user without a password and one who must wait take as long as a wrong password.
    """
    with database.transaction() as session:
        user = _count_attempt(session, User.email == plain_email(email))
    if not is_password(password, user.password_hash if user else None):
        return None
    return user


def count_second_attempt(database: Database, user_id: int) -> bool:
    """Count an attempt at the second factor; False: it must wait."""
    with database.transaction() as session:
        return _count_attempt(session, User.id == user_id) is not None


def note_success(user: User, session: Session) -> None:
    """`user` must be locked."""
    now = session.scalars(select(func.now())).one()
    user.failures, user.next_attempt_at, user.last_signed_in_at = 0, now, now


def _count_attempt(session: Session, which: ColumnElement[bool]) -> User | None:
    # a count that a crash loses does no harm; to wait for the disk would tell who has an account
    session.execute(text("SET LOCAL synchronous_commit = off"))
    doublings = cast(func.least(User.failures - FREE, _MOST_DOUBLINGS), Float)
    seconds = func.least(func.power(2.0, doublings), LONGEST_DELAY.total_seconds())
    later = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    counted = (
        update(User)
        .where(which, User.disabled.is_(False), User.next_attempt_at <= func.now())
        .values(
            failures=User.failures + 1,
            next_attempt_at=case((User.failures < FREE, func.now()), else_=later),
        )
    )
    return session.scalars(
        counted.returning(User).execution_options(synchronize_session=False)
    ).one_or_none()
