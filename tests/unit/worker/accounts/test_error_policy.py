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
    is_about_single_id,
    may_be_counted,
    may_have_run,
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


@pytest.mark.parametrize(
    ("batch", "index", "offender"),
    [
        (["a", "b", "c"], 0, "a"),
        (["a", "b", "c"], 2, "c"),
        (["a", "b", "c"], 3, None),  # an index that Postiz did not mean as ours
        (["a", "b", "c"], None, None),
        (["a"], None, "a"),  # there is no other
        (["a"], 5, "a"),
        ([], 0, None),
    ],
)
def test_who_is_at_fault_in_a_refused_call(
    batch: list[str], index: int | None, offender: str | None
) -> None:
    assert Refused(index=index).find_offender(batch) == offender


@pytest.mark.parametrize(
    ("error", "is_about_it"),
    [
        (with_reply(PostRejected("no such post"), 400), True),
        (with_reply(OutcomeUnknown("it failed"), 500), True),
        (with_reply(OutcomeUnknown("not of a proxy"), 501), True),
        (OutcomeUnknown("no answer"), False),
        (PostRejected("of our own"), False),
        (with_reply(Transient("busy"), 500), False),
        (with_reply(CredentialsRejected("401"), 401), False),
        (Defect("KeyError"), True),
        (OutcomeUnknown("KeyError", code=Defect.code), True),
        *[
            (with_reply(OutcomeUnknown("a proxy"), status), False)
            for status in (408, 425, 499, 502, 503, 504)
        ],
    ],
)
def test_whether_an_answer_is_about_one_id_or_the_server(
    error: PressroomError, is_about_it: bool
) -> None:
    assert is_about_single_id(error) is is_about_it


@pytest.mark.parametrize(
    ("error", "is_try"),
    [
        (OutcomeUnknown("?"), True),
        (PostRejected("too long"), True),
        (Defect("KeyError"), True),
        (Transient("refused"), False),
        (Paused("held back"), False),
        (RateLimited("wait", until=LATER), False),
        (CredentialsRejected("401"), False),
    ],
)
def test_what_counts_as_a_try(error: PressroomError, is_try: bool) -> None:
    assert may_have_run(error) is is_try


def test_the_backoff_is_random_by_itself() -> None:
    pauses = [backoff_seconds(30) for _ in range(200)]
    assert all(0 <= pause <= LONGEST_PAUSE for pause in pauses)
    assert len(set(pauses)) > 100
    assert LONGEST_PAUSE == 300
