"""What an error means for the work in hand: pure, from the error and what was tried before."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from shared.errors import (
    CredentialsRejected,
    Defect,
    OutcomeUnknown,
    Paused,
    PostRejected,
    PressroomError,
    ProfileGone,
    RateLimited,
    SettingsChanged,
    SettingsUnusable,
    Transient,
    WrongBaseUrl,
)

T = TypeVar("T")
#: A post that so many claims got nowhere is given up (an outage costs none).
MAX_ATTEMPTS = 10
LONGEST_PAUSE = 300.0


@dataclass(frozen=True, kw_only=True)
class RetryNow:
    """Nothing happened and nothing is wrong with us: look again at once."""


@dataclass(frozen=True, kw_only=True)
class RetryLater:
    """Certainly nothing happened: the account rests; costs no attempt."""

    look_for_base_url: bool = False


@dataclass(frozen=True, kw_only=True)
class WaitUntil:
    """The account is blocked until then; costs no attempt."""

    until: datetime


@dataclass(frozen=True, kw_only=True)
class HoldAccount:
    """Nothing goes out with this key until the settings change."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class HoldSettings:
    """Nothing goes out for this profile until its settings change, or can be used again."""

    profile_id: str
    version: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Postiz refused a post: the one at `index`, or one of them where that is None."""

    index: int | None

    def find_offender(self, batch: Sequence[T]) -> T | None:
        """Of what was sent: the one that Postiz named, or the only one."""
        if len(batch) == 1:
            return batch[0]
        named = self.index is not None and self.index < len(batch)
        return batch[self.index] if named and self.index is not None else None


@dataclass(frozen=True, kw_only=True)
class Defective:
    """Nobody foresaw it, and nothing was sent: what it is about waits, and it costs an attempt."""


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """It may have happened."""


Holding = WaitUntil | HoldAccount | HoldSettings
Decision = RetryNow | RetryLater | Holding | Refused | Defective | Unknown


def decide_action(error: PressroomError) -> Decision:  # noqa: PLR0911 (a table)
    """The class is the policy; what is no answer of Postiz's is a defect of ours."""
    match error:
        case OutcomeUnknown():
            return Unknown()
        case RateLimited():
            return WaitUntil(until=error.until)
        case SettingsChanged() | Paused() | ProfileGone():
            return RetryNow()
        case WrongBaseUrl():
            return RetryLater(look_for_base_url=True)
        case Transient():
            return RetryLater()
        case CredentialsRejected():
            return HoldAccount(reason=error.code)
        case SettingsUnusable(profile_id=profile_id, version=version):
            return HoldSettings(profile_id=profile_id, version=version, reason=error.code)
        case PostRejected():
            return Refused(index=error.index)
        case _:
            return Defective()


#: Of a proxy, which could not reach Postiz or gave up on it: no word about what was asked for.
OF_A_PROXY = (408, 425, 499, 502, 503, 504)


def is_about_single_id(error: PressroomError) -> bool:
    """Whether Postiz answered about the very id that a call named, so that others may fare better.

    No answer at all, or a proxy's, tells of the server; a defect is about what it happened with.
    """
    if error.code == Defect.code:
        return True
    answered = isinstance(error, PostRejected | OutcomeUnknown)
    return answered and error.status is not None and error.status not in OF_A_PROXY  # type: ignore[attr-defined]


def may_have_run(error: PressroomError) -> bool:
    """Whether it was a try: the call reached Postiz, or may have, or met a defect of ours."""
    return isinstance(decide_action(error), Unknown | Refused | Defective)


def may_be_counted(error: PressroomError) -> bool:
    """Whether Postiz may have counted the call that ended so: 400 counts, 401 and 413 do not."""
    match error:
        case OutcomeUnknown() | RateLimited():
            return True
        case PostRejected(status=status):
            return status != 413
        case _:
            return getattr(error, "budget", None) is not None


def backoff_seconds(failures: int, rng: random.Random | None = None) -> float:
    """Seconds to rest after so many failures in a row: 1, 2, 4 … 300, with full jitter."""
    ceiling = min(LONGEST_PAUSE, 2.0 ** min(failures, 16))
    return (rng or random).uniform(0.0, ceiling)
