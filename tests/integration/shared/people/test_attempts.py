"""Attempts to sign in: counted before they are judged, and slower and slower."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import pytest
from sqlalchemy import func, select, update

from shared.db import Database
from shared.models import User
from shared.people import attempts, users
from tests.servers.settings import make_settings
from tests.timing.patience import wait_until

EMAIL, PASSWORD = "ann@example.com", "correct horse battery"
PROBES = 15


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    made = Database.connect(make_settings(database_url, tmp_path), pool_size=10)
    with made.transaction() as session:
        user = users.create_user(session, email=EMAIL, name="Ann", role="viewer", profile_ids=None)
        users.set_password(session, user, PASSWORD)
    yield made
    made.close()


def failures(database: Database) -> int:
    with database.transaction() as session:
        return session.query(User).one().failures


def assert_must_wait(database: Database) -> None:
    """Soon even the right password is not heard: whatever a slow machine is late with counts."""
    wait_until(lambda: attempts.check_password(database, EMAIL, PASSWORD) is None)


def test_a_right_password_is_found_in_any_spelling_of_the_email(database: Database) -> None:
    assert attempts.check_password(database, " Ann@EXAMPLE.com ", PASSWORD) is not None
    assert attempts.check_password(database, EMAIL, PASSWORD + "x") is None
    assert attempts.check_password(database, "bea@example.com", PASSWORD) is None


def test_after_a_few_wrong_ones_even_the_right_one_must_wait(database: Database) -> None:
    for _ in range(attempts.FREE + 1):
        assert attempts.check_password(database, EMAIL, "wrong") is None
    assert_must_wait(database)
    with database.transaction() as session:
        session.execute(update(User).values(next_attempt_at=func.now()))
    assert attempts.check_password(database, EMAIL, PASSWORD) is not None


def test_each_wrong_one_waits_twice_as_long_up_to_a_bound(database: Database) -> None:
    waits = []
    for _ in range(attempts.FREE + 13):
        attempts.count_second_attempt(database, 1)
        with database.transaction() as session:
            until = func.least(User.next_attempt_at, User.next_code_at)
            left = session.scalar(select(func.extract("epoch", until - func.now())))
            waits.append(round(left or 0))
            session.execute(
                update(User).values(next_attempt_at=func.now(), next_code_at=func.now())
            )
    longest = int(attempts.LONGEST_DELAY.total_seconds())
    assert waits[: attempts.FREE] == [0] * attempts.FREE
    assert waits[attempts.FREE : attempts.FREE + 5] == [1, 2, 4, 8, 16]
    assert waits[-3:] == [longest] * 3


def test_wrong_passwords_keep_nobody_from_giving_a_code(database: Database) -> None:
    """They are for all to send; who gives a code has signed in, perhaps elsewhere."""
    for _ in range(attempts.FREE + 1):
        assert attempts.check_password(database, EMAIL, "wrong") is None
    assert_must_wait(database)
    assert all(attempts.count_second_attempt(database, 1) for _ in range(attempts.FREE))


def test_guesses_at_once_are_as_many_as_one_after_the_other(database: Database) -> None:
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: attempts.check_password(database, EMAIL, "wrong"), range(30)))
    assert attempts.FREE < failures(database) < 30 - attempts.FREE
    assert_must_wait(database)


def test_who_is_disabled_has_no_right_password(database: Database) -> None:
    with database.transaction() as session:
        session.execute(update(User).values(disabled=True))
    assert attempts.check_password(database, EMAIL, PASSWORD) is None


def test_an_unknown_email_takes_as_long_as_a_wrong_password(database: Database) -> None:
    """And so does one that must wait: the fastest of each, which no other work has delayed."""
    fastest = {"unknown": 9.0, EMAIL: 9.0}
    for _ in range(PROBES):
        for email, least in fastest.items():
            began = perf_counter()
            assert attempts.check_password(database, email, "a wrong password") is None
            fastest[email] = min(least, perf_counter() - began)
    assert 0.6 < fastest["unknown"] / fastest[EMAIL] < 1.6, fastest
