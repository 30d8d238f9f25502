"""The second factor: an authenticator app's codes (TOTP, RFC 6238), and codes for its loss.

A secret that no code has confirmed yet is stored nowhere: the page of its enrolment carries it,
sealed, and for its own session only.
"""

import json
import secrets
from dataclasses import dataclass, field

import pyotp
from pyotp.exceptions import OTPVerificationError

from shared.crypto import SecretBox, hash_secret
from shared.errors import SecretUnreadable
from shared.models import User

ISSUER = "Pressroom"
RECOVERY_CODES = 10
#: Of 30 s each; one earlier or later is right too, for clocks that differ.
_WINDOW = 1
#: Characters of an email that the app shows: a picture has no room for the longest.
_SHOWN = 100


@dataclass(frozen=True)
class Enrolment:
    """`uri`: for the app, also as a picture; `sealed`: what comes back with its first code."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    sealed: str = field(repr=False)


def new_enrolment(box: SecretBox, user: User, session_hash: str) -> Enrolment:
    return _make_enrolment(box, user, session_hash, pyotp.random_base32())


def open_enrolment(box: SecretBox, user: User, session_hash: str, sealed: str) -> Enrolment | None:
    """The one that this session of the user began, else None."""
    try:
        holder, secret = json.loads(box.open(sealed))
    except (SecretUnreadable, ValueError, TypeError):
        return None
    if holder != session_hash:
        return None
    return _make_enrolment(box, user, session_hash, secret)


def _make_enrolment(box: SecretBox, user: User, session_hash: str, secret: str) -> Enrolment:
    shown = user.email[:_SHOWN]
    uri = pyotp.TOTP(secret).provisioning_uri(name=shown, issuer_name=ISSUER)
    return Enrolment(secret, uri, box.seal(json.dumps([session_hash, secret])))


def confirm_enrolment(
    box: SecretBox, user: User, enrolment: Enrolment, code: str
) -> list[str] | None:
    """From now on this app's codes count, and no earlier one's. The new recovery codes.

    None for a wrong code. `user` must be locked.
    """
    step = _find_step(enrolment.secret, code)
    if step is None:
        return None
    codes = [secrets.token_hex(8) for _ in range(RECOVERY_CODES)]
    user.totp_secret, user.totp_step = box.seal(enrolment.secret), step
    user.recovery_hashes = [_hash_recovery(user, each) for each in codes]
    return codes


def use_code(box: SecretBox, user: User, code: str) -> bool:
    """Whether the code is right; then it never is again. `user` must be locked."""
    if user.totp_secret is None:
        return False
    step = _find_step(box.open(user.totp_secret), code)
    if step is not None and step > user.totp_step:
        user.totp_step = step
        return True
    hashed = _hash_recovery(user, code)
    if hashed not in user.recovery_hashes:
        return False
    user.recovery_hashes = [each for each in user.recovery_hashes if each != hashed]
    return True


def _find_step(secret: str, code: str) -> int | None:
    """Which 30 seconds the code is of; None: of none that is near."""
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(_plain(code), valid_window=_WINDOW)
    except OTPVerificationError:
        return None


def _hash_recovery(user: User, code: str) -> str:
    """64 random bits, so that a fast hash is enough."""
    return hash_secret("recovery", str(user.id), _plain(code))


def _plain(code: str) -> str:
    """As people type it: apps show codes in groups."""
    return "".join(code.split()).replace("-", "").lower()
