"""Passwords: argon2id, and a check that takes as long where there is none."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.errors import FieldError, Unprocessable

SHORTEST, LONGEST = 12, 200
#: 19 MiB and two rounds: what OWASP's cheat sheet on password storage asks at least.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
#: Of no password that anybody may have, since it is too short; with the same cost.
_NOBODYS = (
    "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg"
    "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


def hash_password(password: str) -> str:
    """Raises `Unprocessable` for one that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        fault = FieldError(
            field="password", message=f"must have {SHORTEST} to {LONGEST} characters"
        )
        raise Unprocessable(
            f"A password has {SHORTEST} to {LONGEST} characters",
            fields=[fault],
            code="password_refused",
        )
    return _HASHER.hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """None stands for nobody's: it is never right, and takes as long as a wrong one."""
    try:
        return _HASHER.verify(password_hash or _NOBODYS, password[:LONGEST]) and bool(password_hash)
    except (VerificationError, InvalidHashError):
        return False
