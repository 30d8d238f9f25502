"""Attempts to sign in: each is counted before it is judged, and the next one waits for longer."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Float, case, cast, func, select, text, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.db import Database
from shared.models import User
from shared.people.passwords import is_password
from shared.people.users import plain_email

#: So many attempts wait for nothing; then 1 s, 2 s, 4 s … up to the longest.
FREE = 5
LONGEST_DELAY = timedelta(minutes=15)
_MOST_DOUBLINGS = 10
_Column = InstrumentedAttribute[int] | InstrumentedAttribute[datetime]
#: How many attempts failed since the last success, and when the next one is heard.
_Counter = tuple[InstrumentedAttribute[int], InstrumentedAttribute[datetime]]
_PASSWORDS: _Counter = (User.failures, User.next_attempt_at)
_CODES: _Counter = (User.code_failures, User.next_code_at)


def check_password(database: Database, email: str, password: str) -> User | None:
    """The user, if the password is right and no delay is running; None in every other case.

    What is asked at once is counted one by one, since each counts itself first. An unknown email,
    a user without a password and one who must wait take as long as a wrong password.
    """
    with database.transaction() as session:
        user = _count_attempt(session, User.email == plain_email(email), _PASSWORDS)
    if not is_password(password, user.password_hash if user else None):
        return None
    return user


def count_second_attempt(database: Database, user_id: int) -> bool:
    """Count an attempt at the second factor; False: it must wait.

    It waits for wrong codes, and never for wrong passwords, which anybody may send. It counts as a
    wrong password too: who has the password alone must not start anew by signing in again.
    """
    with database.transaction() as session:
        return _count_attempt(session, User.id == user_id, _CODES, _PASSWORDS) is not None


def note_success(user: User, session: Session) -> None:
    """`user` must be locked."""
    now = session.scalars(select(func.now())).one()
    user.failures, user.next_attempt_at, user.last_signed_in_at = 0, now, now
    user.code_failures, user.next_code_at = 0, now


def _count_attempt(
    session: Session, which: ColumnElement[bool], counter: _Counter, *others: _Counter
) -> User | None:
    """The user, if they need not wait by `counter`; then it has counted in the others too."""
    # a count that a crash loses does no harm; to wait for the disk would tell who has an account
    session.execute(text("SET LOCAL synchronous_commit = off"))
    values: dict[_Column, Any] = {}
    for failures, next_at in (counter, *others):
        values[failures] = failures + 1
        values[next_at] = func.greatest(next_at, func.now() + _delay(failures))
    counted = (
        update(User).where(which, User.disabled.is_(False), counter[1] <= func.now()).values(values)
    )
    return session.scalars(
        counted.returning(User).execution_options(synchronize_session=False)
    ).one_or_none()


def _delay(failures: InstrumentedAttribute[int]) -> ColumnElement[timedelta]:
    doublings = cast(func.least(failures - FREE, _MOST_DOUBLINGS), Float)
    seconds = func.least(func.power(2.0, doublings), LONGEST_DELAY.total_seconds())
    return case(
        (failures < FREE, func.make_interval()),
        else_=func.make_interval(0, 0, 0, 0, 0, 0, seconds),
    )
