"""Claims accounts for counted calls, and records the results."""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, true, update
from sqlalchemy.orm import Session

from shared import db, metrics
from shared.accounts import holds
from shared.accounts.budget_queries import budget_state
from shared.db import ROW_LOCK, after_commit
from shared.domain.publishing.budget import (
    LONGEST_CALL,
    WINDOW,
    BudgetState,
    charge_call,
    free_at,
    refund_call,
    roll_window,
    update_from_reply,
)
from shared.domain.webhook_retries import ACCOUNT_BLOCKED, CREDENTIALS_REJECTED
from shared.errors import Budget, CredentialsRejected, PressroomError
from shared.log import get_logger
from shared.models import Account, Profile, Submission
from shared.profiles.credential_ref import CredentialRef
from shared.webhooks import outbox
from worker.accounts import budget_notices, rate_limiter
from worker.accounts.eligibility import is_rested
from worker.accounts.error_policy import (
    Defective,
    HoldAccount,
    HoldSettings,
    RetryLater,
    RetryNow,
    Unknown,
    WaitUntil,
    backoff_seconds,
    decide_action,
    may_be_counted,
)

log = get_logger("accounts")


#: An account with nothing to do, or without budget, is planned again after this time at most.
PLAN_AGAIN = timedelta(seconds=30)
#: Interval of probes while a Postiz does not answer.
PROBE_INTERVAL = timedelta(seconds=10)


def new_claim() -> int:
    """A random number that no other claim has."""
    return secrets.randbits(62)


def now_plus(seconds: float) -> ColumnElement[datetime]:
    """A time by the database's clock, with which the column will be compared."""
    return func.clock_timestamp() + timedelta(seconds=seconds)


def claim_account(
    session: Session, account_id: int, *, lease_seconds: float, parking: bool = False
) -> Account | None:
    """The account, leased to us; None if it is leased, paused, or waits after a failure.

    `parking`: a pause does not matter, because moves to 2099 publish nothing.
    """
    free = or_(Account.lease_until.is_(None), Account.lease_until < func.now())
    may_send = true() if parking else Account.paused.is_(False)
    claimed_id = session.scalar(
        update(Account)
        .where(Account.id == account_id, free, is_rested(), may_send)
        .values(claim=new_claim(), lease_until=func.now() + timedelta(seconds=lease_seconds))
        .returning(Account.id)
    )
    return session.get_one(Account, claimed_id, populate_existing=True) if claimed_id else None


def end_lease(session: Session, account: Account) -> None:
    """End the lease, if it is still ours."""
    session.execute(
        update(Account)
        .where(Account.id == account.id, Account.claim == account.claim)
        .values(lease_until=None)
    )


def reserve_call(session: Session, account: Account, *, due_at: datetime | None) -> bool:
    """Take one call from the budget. `due_at`: time of its first post, None for parking.

    Returns False if no call is left now.
    """
    now = db.read_clock(session)
    state = roll_window(
        budget_state(account), now, unsettled=_count_uncertain_calls(session, account)
    )
    free = free_at(state, now, due_at=due_at)
    if free > now:
        account.plan_at = min(free, now + PLAN_AGAIN)
        budget_notices.write_notices(session, account, until=free, parking=due_at is None)
        return False
    _save_budget(account, charge_call(state, now))
    return True


def _count_uncertain_calls(session: Session, account: Account) -> int:
    """Recent calls without a known result: Postiz may have counted them in this window."""
    recent = func.now() - (WINDOW + LONGEST_CALL)
    query = select(func.count()).where(
        Submission.account_id == account.id,
        Submission.state.in_(("sending", "unclear", "abandoned")),
        Submission.sent_at > recent,
    )
    return session.scalar(query) or 0


def _save_budget(account: Account, state: BudgetState) -> None:
    account.budget_limit = state.limit
    account.budget_used = state.used
    account.window_ends_at = state.window_ends_at


def learn_budget(session: Session, account: Account, budget: Budget | None) -> None:
    """Save the budget of a reply, before its call is recorded as ended."""
    if budget is None:
        return
    if account.budget_limit is not None and budget.limit > account.budget_limit:
        account.plan_at = None  # posts that wait for budget continue at once
    now = rate_limiter.clock(session)
    state = update_from_reply(
        budget_state(account),
        now,
        limit=budget.limit,
        remaining=budget.remaining,
        resets_at=db.by_its_clock(session, budget.resets_at),
        unsettled=_count_uncertain_calls(session, account),
    )
    _save_budget(account, state)


def record_answer(session: Session, account_id: int) -> None:
    """A call of any kind succeeded: earlier failures no longer count."""
    record_answers(session, {account_id})


def record_answers(session: Session, account_ids: Collection[int]) -> None:
    """A call to each of these accounts succeeded."""
    recovered = update(Account).where(Account.id.in_(account_ids), Account.failures > 0)
    session.execute(recovered.values(failures=0, retry_at=None, probe_at=None, healthy=True))


def record_success(session: Session, account_id: int, budget: Budget | None = None) -> Account:
    """A call succeeded: the account is healthy; `budget`: as in the reply."""
    account = session.get_one(Account, account_id, with_for_update=ROW_LOCK, populate_existing=True)
    learn_budget(session, account, budget)
    account.healthy, account.failures = True, 0
    account.retry_at, account.probe_at = None, None
    return account


def record_failure(session: Session, credentials: CredentialRef, error: PressroomError) -> Account:
    """A call with these credentials failed."""
    return record_account_failure(
        session, credentials.account_id, error, key_hash=credentials.key_hash
    )


def record_account_failure(
    session: Session, account_id: int, error: PressroomError, *, key_hash: str | None = None
) -> Account:
    """Delay, block or hold the account, depending on the error; `key_hash`: of the key used."""
    account = session.get_one(Account, account_id, with_for_update=ROW_LOCK, populate_existing=True)
    learn_budget(session, account, getattr(error, "budget", None))
    after_commit(session, metrics.TROUBLE.labels(error.code).inc)
    log.warning("call failed", account=account_id, code=error.code, reason=error.message)
    match decide_action(error):
        case RetryLater(find_base_url=find_base_url):
            _begin_rest(session, account)
            account.probe_at = func.now() + PROBE_INTERVAL
            account.base_url = None if find_base_url else account.base_url
        case Unknown() | Defective():
            _begin_rest(session, account)
        case WaitUntil(until=until):
            _block_account(session, account, until, error)
        case HoldAccount(reason=reason):
            _hold_key(session, account, reason, key_hash, error)
        case HoldSettings(profile_id=profile_id, version=version):
            _hold_settings(session, account, profile_id, version, error)
        case RetryNow():
            pass
        case _:  # a refusal is about the post
            account.healthy, account.failures = True, 0
    return account


def fail_call(session: Session, credentials: CredentialRef, error: PressroomError) -> Account:
    """A counted call failed: ends the lease, and refunds the call if Postiz has certainly not
    counted it."""
    account = record_failure(session, credentials, error)
    if not may_be_counted(error):
        _save_budget(account, refund_call(budget_state(account)))
    end_lease(session, account)
    return account


def _block_account(
    session: Session, account: Account, until: datetime, error: PressroomError
) -> None:
    """Sends an event, unless the account was blocked already."""
    blocked_before, account.blocked_until = account.blocked_until, db.by_its_clock(session, until)
    if blocked_before is None or blocked_before <= db.read_clock(session):
        outbox.enqueue_account_event(session, account, ACCOUNT_BLOCKED, error)


def _hold_key(
    session: Session, account: Account, reason: str, key_hash: str | None, error: PressroomError
) -> None:
    """Sends an event once for each reason and key, until the settings change."""
    account.healthy = False
    if key_hash is None:  # a profile without an account sends nothing anyway
        return
    if holds.hold_key(session, account.id, key_hash, reason=reason, message=error.message):
        refused = reason == CredentialsRejected.code
        event = CREDENTIALS_REJECTED if refused else ACCOUNT_BLOCKED
        users = Profile.key_hash == key_hash
        outbox.enqueue_account_event(session, account, event, error, users=users, held=reason)


def _hold_settings(
    session: Session, account: Account, profile_id: str, version: int, error: PressroomError
) -> None:
    """Affects only this profile, not the account, nor other profiles with the same key."""
    refusal = {"reason": error.code, "message": error.message}
    if holds.hold_settings(session, profile_id, version, **refusal):
        users = Profile.id == profile_id
        outbox.enqueue_account_event(
            session, account, ACCOUNT_BLOCKED, error, users=users, held=error.code
        )


def rest_account(session: Session, account_id: int) -> None:
    """Its work failed with an unexpected error: delay the account's next call."""
    account = session.get_one(Account, account_id, with_for_update=ROW_LOCK, populate_existing=True)
    _begin_rest(session, account)


def _begin_rest(session: Session, account: Account) -> None:
    account.failures += 1
    account.probe_at = None
    account.healthy = account.failures < 3
    account.retry_at = db.read_clock(session) + timedelta(seconds=backoff_seconds(account.failures))
