"""Passwords as the web looks at them: a few at a time, and not too many from one address."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import request

from shared.models import User
from shared.people import attempts, users
from web.services import current_services


def check_password(email: str, password: str) -> User | None:
    """As `attempts.check_password`; raises as `password_work`, and for too many wrong ones."""
    ours, address = current_services(), request.remote_addr or ""
    who = f"password of {users.plain_email(email)}"
    ours.rates.refuse_guesses(address, who)
    ours.rates.refuse_passwords(address)
    with ours.sign_ins.place():
        user = attempts.check_password(ours.database, email, password)
    if user is None:
        ours.rates.note_failure(address, who)
    else:
        ours.rates.note_success(address, who)
        ours.rates.note_password(address)
    return user


@contextmanager
def password_work() -> Iterator[None]:
    """Work on a password of somebody who has shown who they are.

    Raises `TooManyRequests` if their address did too much of it, and `Unavailable` if others do.
    """
    ours, address = current_services(), request.remote_addr or ""
    ours.rates.refuse_passwords(address)
    with ours.sign_ins.place():
        yield
    ours.rates.note_password(address)
