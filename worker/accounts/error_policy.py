"""What an error means for the current work. Pure functions of the error and earlier attempts."""

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
#: A post fails after so many attempts (an outage does not count as one).
MAX_ATTEMPTS = 10
LONGEST_PAUSE = 300.0


@dataclass(frozen=True, kw_only=True)
class RetryNow:
    """Nothing was done, and nothing is wrong: try again at once."""


@dataclass(frozen=True, kw_only=True)
class RetryLater:
    """Certainly nothing was done: the account waits; does not count as an attempt."""

    find_base_url: bool = False


@dataclass(frozen=True, kw_only=True)
class WaitUntil:
    """The account is blocked until then; does not count as an attempt."""

    until: datetime


@dataclass(frozen=True, kw_only=True)
class HoldAccount:
    """Nothing is sent with this key until the settings change."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class HoldSettings:
    """Nothing is sent for this profile until its settings change, or can be used again."""

    profile_id: str
    version: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Postiz refused a post: the one at `index`, or an unknown one if that is None."""

    index: int | None

    def find_offender(self, batch: Sequence[T]) -> T | None:
        """The post of the batch that Postiz refused, or the only one; None if it is not known."""
        if len(batch) == 1:
            return batch[0]
        named = self.index is not None and self.index < len(batch)
        return batch[self.index] if named and self.index is not None else None


@dataclass(frozen=True, kw_only=True)
class Defective:
    """An unexpected error, and nothing was sent: the work waits; counts as an attempt."""


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """The call may have been executed."""


Holding = WaitUntil | HoldAccount | HoldSettings
Decision = RetryNow | RetryLater | Holding | Refused | Defective | Unknown


def decide_action(error: PressroomError) -> Decision:  # noqa: PLR0911 (a table)
    """The error's class decides; any other error is a defect of Pressroom."""
    match error:
        case OutcomeUnknown():
            return Unknown()
        case RateLimited():
            return WaitUntil(until=error.until)
        case SettingsChanged() | Paused() | ProfileGone():
            return RetryNow()
        case WrongBaseUrl():
            return RetryLater(find_base_url=True)
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


#: Statuses of a proxy that did not reach Postiz or stopped waiting: they say nothing about the
#: call.
OF_A_PROXY = (408, 425, 499, 502, 503, 504)


def is_about_single_id(error: PressroomError) -> bool:
    """Whether the error is about the id that the call named, so that other ids may succeed.

    No answer, or a proxy's answer, is about the server. A defect is about the id.
    """
    if error.code == Defect.code:
        return True
    answered = isinstance(error, PostRejected | OutcomeUnknown)
    return answered and error.status is not None and error.status not in OF_A_PROXY  # type: ignore[attr-defined]


def may_have_run(error: PressroomError) -> bool:
    """Whether the call counts as an attempt: it may have reached Postiz, or failed by a defect."""
    return isinstance(decide_action(error), Unknown | Refused | Defective)


def may_be_counted(error: PressroomError) -> bool:
    """Whether Postiz may have counted the failed call: 400 counts, 401 and 413 do not."""
    match error:
        case OutcomeUnknown() | RateLimited():
            return True
        case PostRejected(status=status):
            return status != 413
        case _:
            return getattr(error, "budget", None) is not None


def backoff_seconds(failures: int, rng: random.Random | None = None) -> float:
    """Seconds to wait after so many failures in a row: up to 2, 4, 8 … 300, with full jitter."""
    ceiling = min(LONGEST_PAUSE, 2.0 ** min(failures, 16))
    return (rng or random).uniform(0.0, ceiling)
