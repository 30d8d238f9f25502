"""What an account is charged, and what each bad answer means for it, written row by row."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from shared.accounts import holds
from shared.domain.publishing.states import PostState
from shared.errors import (
    Budget,
    CredentialsRejected,
    Defect,
    NotConfigured,
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
from shared.models import Account, Delivery, Profile, SettingsHold, Submission, Webhook
from tests.factories.rows import LONG_AGO, Rows
from worker.accounts import leases

S = PostState
NOW = datetime.now(UTC)
SOON = NOW + timedelta(hours=1)
MINUTE = timedelta(minutes=1)
#: What a slow machine may take for one step.
SLACK = timedelta(seconds=20)


def is_in(moment: datetime | None, pause: timedelta) -> bool:
    """Whether it lies `pause` ahead, by a clock that has gone on a little."""
    return moment is not None and pause - SLACK < moment - datetime.now(UTC) <= pause


@pytest.fixture
def other(rows: Rows) -> Rows:
    return Rows(rows.database)


def add_calls(rows: Rows, *states: str, ago: timedelta = MINUTE) -> None:
    sent_at = datetime.now(UTC) - ago
    with rows.database.transaction() as session:
        for number, state in enumerate(states):
            session.add(
                Submission(
                    account_id=rows.account_id,
                    profile_id=rows.profile_id,
                    server=rows.server,
                    marker_at=sent_at + timedelta(milliseconds=number),
                    elements=1,
                    state=state,
                    sent_at=sent_at,
                )
            )


def reserve(rows: Rows, *, due_at: datetime | None = None) -> bool:
    with rows.database.transaction() as session:
        account = session.get_one(Account, rows.account_id)
        return leases.reserve_call(session, account, due_at=due_at)


def fail(rows: Rows, error: PressroomError, *, key_hash: str | None = None) -> Account:
    with rows.database.transaction() as session:
        leases.record_account_failure(
            session, rows.account_id, error, key_hash=key_hash or rows.key_hash
        )
    return rows.account()


def told(limit: int, remaining: int, resets_at: datetime = SOON) -> Budget:
    return Budget(limit=limit, remaining=remaining, resets_at=resets_at)


# The lease


def test_a_lease_ends_by_itself_and_sooner_by_whoever_has_it(rows: Rows, other: Rows) -> None:
    with rows.database.transaction() as session:
        account = leases.claim_account(session, rows.account_id, lease_seconds=40)
        assert account is not None
        assert account.id == rows.account_id
        assert leases.claim_account(session, other.account_id, lease_seconds=40)
    assert is_in(rows.account().lease_until, timedelta(seconds=40))
    with rows.database.transaction() as session:
        leases.end_lease(session, account)
    assert rows.account().lease_until is None
    assert rows.account().claim == account.claim
    assert other.account().lease_until is not None


def test_no_two_claims_are_the_same() -> None:
    claims = {leases.new_claim() for _ in range(1000)}
    assert len(claims) == 1000
    assert all(0 <= claim < 2**63 for claim in claims)  # it fits into its column
    assert max(claims) > 2**50  # and is not to be met by chance


# What a call costs


def test_the_first_call_begins_a_window_of_an_hour(rows: Rows) -> None:
    assert reserve(rows)
    account = rows.account()
    assert (account.budget_used, account.budget_limit, account.plan_at) == (1, 90, None)
    assert is_in(account.window_ends_at, timedelta(hours=1))


def test_calls_are_kept_for_parking(rows: Rows) -> None:
    rows.change_account(budget_used=87, window_ends_at=SOON)
    assert not reserve(rows, due_at=NOW)
    assert rows.account().budget_used == 87
    assert reserve(rows)
    assert rows.account().budget_used == 88


@pytest.mark.parametrize(
    ("left", "pause"), [(timedelta(hours=1), timedelta(seconds=30)), (timedelta(seconds=25), None)]
)
def test_without_a_call_left_it_is_planned_again_when_one_is_or_soon(
    rows: Rows, left: timedelta, pause: timedelta | None
) -> None:
    ends_at = datetime.now(UTC) + left
    rows.change_account(budget_used=90, window_ends_at=ends_at)
    assert not reserve(rows)
    plan_at = rows.account().plan_at
    assert plan_at == ends_at if pause is None else is_in(plan_at, pause)


def test_a_window_that_is_over_leaves_only_what_may_be_counted_late(
    rows: Rows, other: Rows
) -> None:
    add_calls(rows, "sending", "unclear", "abandoned", "staged", "rejected")
    add_calls(rows, "unclear", ago=timedelta(minutes=61))
    add_calls(rows, "unclear", ago=timedelta(minutes=63))
    add_calls(other, "unclear", ago=MINUTE)
    rows.change_account(budget_used=90, window_ends_at=NOW - MINUTE)
    assert reserve(rows)
    assert rows.account().budget_used == 4 + 1
    assert is_in(rows.account().window_ends_at, timedelta(hours=1))


def test_what_would_go_before_the_next_window_is_told_why_it_waits(rows: Rows) -> None:
    [now] = rows.posts(S.PENDING, next_at=LONG_AGO)
    [later] = rows.posts(S.PENDING, next_at=LONG_AGO, publish_at=SOON + MINUTE)
    [releasing] = rows.posts(S.RELEASING)
    rows.change_handover(releasing, to_park_at=NOW)
    rows.change_account(budget_used=90, window_ends_at=SOON)
    assert not reserve(rows, due_at=NOW)
    codes = [rows.post(post).error_code for post in (now, later, releasing)]
    assert codes == ["budget_exhausted", None, None]
    assert SOON.isoformat(timespec="seconds") in str(rows.post(now).error_message)
    assert not reserve(rows)
    assert rows.post(releasing).error_code == "budget_exhausted"


# What a reply tells


def learn(rows: Rows, budget: Budget | None) -> Account:
    with rows.database.transaction() as session:
        leases.learn_budget(session, session.get_one(Account, rows.account_id), budget)
    return rows.account()


def test_a_reply_that_tells_nothing_changes_nothing(rows: Rows) -> None:
    rows.change_account(budget_used=5, window_ends_at=SOON, plan_at=SOON)
    account = learn(rows, None)
    assert (account.budget_limit, account.budget_used, account.plan_at) == (90, 5, SOON)


@pytest.mark.parametrize(
    ("before", "limit", "goes_on"), [(90, 91, True), (90, 90, False), (90, 30, False)]
)
def test_what_waits_for_the_budget_goes_on_when_the_limit_is_raised(
    rows: Rows, before: int, limit: int, goes_on: bool
) -> None:
    rows.change_account(budget_limit=before, plan_at=SOON)
    account = learn(rows, told(limit, 20))
    assert account.budget_limit == limit
    assert account.budget_used == limit - 20
    assert account.plan_at == (None if goes_on else SOON)
    assert account.window_ends_at is not None
    assert abs(account.window_ends_at - SOON) < SLACK


def test_the_first_limit_is_learned_from_a_reply(rows: Rows) -> None:
    rows.change_account(budget_limit=None, plan_at=SOON)
    account = learn(rows, told(30, 29))
    assert (account.budget_limit, account.budget_used, account.plan_at) == (30, 1, SOON)


def test_a_reply_about_a_new_window_charges_it_only_what_has_no_end_yet(rows: Rows) -> None:
    add_calls(rows, "sending", "unclear")
    rows.change_account(budget_used=80, window_ends_at=NOW + MINUTE)
    account = learn(rows, told(90, 89))
    assert account.budget_used == 2


# Answers as they should be


SICK = {"failures": 2, "healthy": False, "retry_at": SOON, "probe_at": SOON}


def state_of(account: Account) -> tuple[int, bool, datetime | None, datetime | None]:
    return account.failures, account.healthy, account.retry_at, account.probe_at


def test_an_answer_ends_what_went_wrong_with_this_account_alone(rows: Rows, other: Rows) -> None:
    rows.change_account(**SICK)
    other.change_account(**SICK)
    with rows.database.transaction() as session:
        leases.record_answer(session, rows.account_id)
    assert state_of(rows.account()) == (0, True, None, None)
    assert state_of(other.account()) == (2, False, SOON, SOON)


def test_an_answer_lifts_no_hold_of_an_account_without_failures(rows: Rows) -> None:
    rows.change_account(healthy=False)
    with rows.database.transaction() as session:
        leases.record_answer(session, rows.account_id)
    assert not rows.account().healthy


def test_a_success_makes_it_well_and_notes_what_it_told(rows: Rows) -> None:
    rows.change_account(**SICK)
    with rows.database.transaction() as session:
        account = leases.record_success(session, rows.account_id, told(30, 20))
        assert account.id == rows.account_id
    after = rows.account()
    assert state_of(after) == (0, True, None, None)
    assert (after.budget_limit, after.budget_used) == (30, 10)
    with rows.database.transaction() as session:
        leases.record_success(session, rows.account_id)
    assert rows.account().budget_used == 10


# Answers that went wrong


@pytest.mark.parametrize(
    ("error", "probed", "keeps_url"),
    [
        (Transient("away"), True, True),
        (WrongBaseUrl("html"), True, False),
        (OutcomeUnknown("no answer"), False, True),
        (Defect("KeyError"), False, True),
    ],
)
def test_an_account_rests_and_is_probed_where_it_is_away(
    rows: Rows, error: PressroomError, probed: bool, keeps_url: bool
) -> None:
    base_url = rows.account().base_url
    rows.change_account(failures=1, probe_at=SOON)
    account = fail(rows, error)
    assert (account.failures, account.healthy) == (2, True)
    assert account.retry_at is not None
    assert NOW - SLACK < account.retry_at < datetime.now(UTC) + timedelta(seconds=4)
    assert is_in(account.probe_at, timedelta(seconds=10)) if probed else account.probe_at is None
    assert account.base_url == (base_url if keeps_url else None)


def test_an_account_is_unwell_from_its_third_failure_on(rows: Rows) -> None:
    assert [fail(rows, Transient("away")).healthy for _ in range(4)] == [True, True, False, False]
    assert rows.account().failures == 4


def test_what_nobody_foresaw_rests_it(rows: Rows, other: Rows) -> None:
    rows.change_account(failures=2, probe_at=SOON)
    with rows.database.transaction() as session:
        leases.rest_account(session, rows.account_id)
    account = rows.account()
    assert (account.failures, account.healthy, account.probe_at) == (3, False, None)
    assert account.retry_at is not None
    assert other.account().retry_at is None


@pytest.mark.parametrize(
    "error", [SettingsChanged("newer"), Paused("held back"), ProfileGone("deleted")]
)
def test_what_is_nobodys_fault_changes_nothing(rows: Rows, error: PressroomError) -> None:
    rows.change_account(**SICK)
    assert state_of(fail(rows, error)) == (2, False, SOON, SOON)


def test_a_refusal_is_about_the_post_and_a_sign_of_life(rows: Rows) -> None:
    rows.change_account(**SICK)
    refused = PostRejected("too long")
    refused.budget = told(30, 20)
    account = fail(rows, refused)
    assert (account.failures, account.healthy) == (0, True)
    assert (account.budget_limit, account.budget_used) == (30, 10)


# What webhooks are told of it


def listen(rows: Rows, *events: str) -> int:
    with rows.database.transaction() as session:
        webhook = Webhook(
            url="https://receiver.example",
            events=list(events),
            profile_ids=[rows.profile_id, f"{rows.profile_id}-b"],
            secret="sealed",
        )
        session.add(webhook)
        session.flush()
        return webhook.id


def heard(rows: Rows, webhook_id: int) -> list[tuple[str, list[str], Any, str]]:
    """The event, of which profiles, why they are held, and the code of what went wrong."""
    with rows.database.transaction() as session:
        query = select(Delivery).where(Delivery.webhook_id == webhook_id).order_by(Delivery.id)
        return [
            (row.event, row.profile_ids, row.data["held"], row.data["error"]["code"])
            for row in session.scalars(query)
        ]


BLOCKED, REJECTED = "account.blocked", "credentials.rejected"


def test_a_block_is_told_when_it_begins_and_not_when_it_only_goes_on(rows: Rows) -> None:
    webhook = listen(rows, BLOCKED, REJECTED)
    account = fail(rows, RateLimited("wait", until=SOON))
    assert account.blocked_until is not None
    assert abs(account.blocked_until - SOON) < SLACK
    assert (account.failures, account.retry_at) == (0, None)
    once = [(BLOCKED, [rows.profile_id], None, "rate_limited")]
    assert heard(rows, webhook) == once
    later = fail(rows, RateLimited("wait", until=SOON + MINUTE))
    assert later.blocked_until is not None
    assert later.blocked_until > account.blocked_until
    assert heard(rows, webhook) == once
    rows.change_account(blocked_until=NOW - MINUTE)
    fail(rows, RateLimited("wait", until=SOON))
    assert heard(rows, webhook) == 2 * once


def add_second_profile(rows: Rows, key_hash: str) -> str:
    second = f"{rows.profile_id}-b"
    with rows.database.transaction() as session:
        values = {"name": "B", "account_id": rows.account_id, "key_hash": key_hash}
        session.add(Profile(id=second, **values))
    return second


@pytest.mark.parametrize(
    ("code", "event"), [("credentials_rejected", REJECTED), ("plan_limit", BLOCKED)]
)
def test_a_refused_key_is_held_and_told_of_once_to_those_who_use_it(
    rows: Rows, code: str, event: str
) -> None:
    webhook = listen(rows, BLOCKED, REJECTED)
    add_second_profile(rows, "another")
    for _ in range(2):
        account = fail(rows, CredentialsRejected("It is refused.", code=code))
        assert (account.healthy, account.failures, account.retry_at) == (False, 0, None)
    assert heard(rows, webhook) == [(event, [rows.profile_id], code, code)]
    with rows.database.transaction() as session:
        [held] = holds.list_held(session, [rows.account_id])
    assert (held.profile_id, held.reason) == (rows.profile_id, code)
    assert held.message == "It is refused."


def test_without_a_key_nothing_is_held(rows: Rows) -> None:
    webhook = listen(rows, BLOCKED, REJECTED)
    with rows.database.transaction() as session:
        leases.record_account_failure(session, rows.account_id, CredentialsRejected("no key"))
    assert not rows.account().healthy
    assert heard(rows, webhook) == []


def test_unusable_settings_hold_one_profile_and_not_its_account(rows: Rows) -> None:
    webhook = listen(rows, BLOCKED, REJECTED)
    second = add_second_profile(rows, rows.key_hash)
    why = NotConfigured("No key.")
    for _ in range(2):
        account = fail(rows, SettingsUnusable(why, profile_id=second, version=1))
        assert (account.healthy, account.failures, account.retry_at) == (True, 0, None)
    assert heard(rows, webhook) == [(BLOCKED, [second], "not_configured", "not_configured")]
    with rows.database.transaction() as session:
        held = session.get_one(SettingsHold, second)
        assert (held.settings_version, held.reason) == (1, "not_configured")
        assert held.message == "No key."
        assert session.get(SettingsHold, rows.profile_id) is None


def test_settings_that_were_saved_meanwhile_are_not_held(rows: Rows) -> None:
    webhook = listen(rows, BLOCKED)
    old = SettingsUnusable(NotConfigured("No key."), profile_id=rows.profile_id, version=7)
    fail(rows, old)
    assert heard(rows, webhook) == []
