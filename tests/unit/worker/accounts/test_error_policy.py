"""The class is the policy: what each error means for the work in hand."""

import random
from datetime import UTC, datetime

import pytest

from shared.errors import (
    Budget,
    CredentialsRejected,
    Defect,
    IllegalTransition,
    NotConfigured,
    NotFound,
    OutcomeUnknown,
    Paused,
    PostRejected,
    PressroomError,
    ProfileGone,
    PublisherError,
    RateLimited,
    SettingsChanged,
    SettingsUnusable,
    Transient,
    WrongBaseUrl,
)
from worker.accounts.error_policy import (
    LONGEST_PAUSE,
    Defective,
    HoldAccount,
    HoldSettings,
    Refused,
    RetryLater,
    RetryNow,
    Unknown,
    WaitUntil,
    backoff_seconds,
    decide_action,
    may_be_counted,
)

LATER = datetime(2026, 11, 22, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OutcomeUnknown("?"), Unknown()),
        (RateLimited("wait", until=LATER), WaitUntil(until=LATER)),
        (SettingsChanged("newer"), RetryNow()),
        (Paused("held back"), RetryNow()),
        (WrongBaseUrl("html"), RetryLater(find_base_url=True)),
        (Transient("refused"), RetryLater()),
        (CredentialsRejected("401"), HoldAccount(reason="credentials_rejected")),
        (CredentialsRejected("402", code="plan_limit"), HoldAccount(reason="plan_limit")),
        (
            SettingsUnusable(NotConfigured("none"), profile_id="acme", version=3),
            HoldSettings(profile_id="acme", version=3, reason="not_configured"),
        ),
        (ProfileGone("deleted"), RetryNow()),
        (PostRejected("too long", index=3), Refused(index=3)),
        (PostRejected("too long"), Refused(index=None)),
    ],
)
def test_what_an_error_means(error: PressroomError, expected: object) -> None:
    assert decide_action(error) == expected


def with_reply(error: PublisherError, status: int, *, told: bool = False) -> PublisherError:
    error.status = status
    error.budget = Budget(limit=90, remaining=80, resets_at=LATER) if told else None
    return error


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (OutcomeUnknown("?"), True),
        (RateLimited("wait", until=LATER), True),
        (with_reply(PostRejected("too long"), 400), True),  # though a proxy dropped the headers
        (with_reply(PostRejected("too large"), 413), False),
        (with_reply(CredentialsRejected("401"), 401), False),
        (with_reply(CredentialsRejected("402"), 402, told=True), True),
        (Transient("refused a connection"), False),
        (SettingsChanged("newer"), False),
        (Paused("held back"), False),
        (NotConfigured("none"), False),
    ],
)
def test_which_calls_postiz_may_have_counted(error: PressroomError, counted: bool) -> None:
    assert may_be_counted(error) == counted


def test_a_defect_of_ours_is_not_taken_for_an_answer_of_postiz() -> None:
    for error in (NotFound("no such thing"), Defect("KeyError"), IllegalTransition("back")):
        assert decide_action(error) == Defective()


def test_the_backoff_doubles_up_to_its_bound_and_is_spread() -> None:
    rng = random.Random(7)
    for failures in range(1, 30):
        pauses = [backoff_seconds(failures, rng) for _ in range(200)]
        most = min(LONGEST_PAUSE, 2.0**failures)
        assert all(0 <= pause <= most for pause in pauses)
        assert max(pauses) > most / 2
        assert min(pauses) < most / 2
