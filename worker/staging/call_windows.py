"""Call windows: reads what a call of unknown outcome created, at its millisecond in Postiz."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, select

from shared.accounts import holds
from shared.models import Account, Profile, Submission
from shared.postiz.client import RemotePost
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import postiz_call, rate_limiter
from worker.runtime import Runtime

BATCH = 20


@dataclass(frozen=True, kw_only=True)
class CallWindow:
    """A call's millisecond in Postiz's calendar, and fingerprints of what the call sent."""

    submission_id: int
    credentials: CredentialRef
    marker_at: datetime
    sent_at: datetime
    sent: frozenset[str]
    litter_tries: int


def has_due_windows(due: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Whether the enclosing query's account has a due window that can be read now."""
    windows = exists().where(Submission.account_id == Account.id, *_is_readable(), *due)
    return windows.correlate(Account)


def claim_windows(
    runtime: Runtime, account_id: int, due: Sequence[ColumnElement[bool]], *, due_column: str
) -> list[CallWindow]:
    """Claim due windows for the time of a lease; if we die, they are due again after it."""
    lease = timedelta(seconds=runtime.settings.lease_seconds)
    with runtime.database.transaction() as session:
        rows = session.execute(
            select(Submission, Profile)
            .join(Account, Account.id == Submission.account_id)
            .where(Submission.account_id == account_id, *_is_readable(), *due)
            .order_by(getattr(Submission, due_column))
            .limit(BATCH)
            .with_for_update(of=Submission, key_share=True, skip_locked=True)
        ).all()
        lease_until = rate_limiter.clock(session) + lease
        for submission, _ in rows:
            setattr(submission, due_column, lease_until)
        return [
            CallWindow(
                submission_id=submission.id,
                credentials=CredentialRef.from_profile(profile, account_id),
                marker_at=submission.marker_at,
                sent_at=submission.sent_at,
                sent=frozenset(submission.sent),
                litter_tries=submission.litter_tries,
            )
            for submission, profile in rows
        ]


def read_window(runtime: Runtime, window: CallWindow) -> Sequence[RemotePost]:
    """All posts that Postiz lists at this millisecond."""
    return postiz_call.make_call(
        runtime,
        window.credentials,
        lambda postiz: postiz.window(window.marker_at, window.marker_at),
    )


def _is_readable() -> tuple[ColumnElement[bool], ...]:
    """Joins a call with its profile, if the profile has a usable key of the account."""
    return Profile.id == Submission.profile_id, *holds.has_usable_key(Submission.account_id)
