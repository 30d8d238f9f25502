"""Orphan drafts: deletes drafts that calls of unknown outcome left in Postiz.

A draft is never published by itself, but it confuses people in Postiz's calendar. Only drafts are
deleted, and only those that we sent: recognised by our millisecond, integration and content.
"""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.orm import Session

from shared import metrics
from shared.domain.publishing.fingerprint import compute_fingerprint
from shared.domain.publishing.reconciliation import DRAFT
from shared.domain.publishing.retry_limits import ORPHAN_DELETES
from shared.errors import PressroomError
from shared.log import get_logger
from shared.models import Account, Handover, Submission
from shared.postiz.client import RemotePost
from shared.posts import handovers
from worker.accounts import postiz_call, rate_limiter, remote_delete
from worker.accounts.defects import for_account, is_defect, translate_defects
from worker.accounts.eligibility import is_rested
from worker.accounts.error_policy import may_have_run
from worker.runtime import Runtime
from worker.staging import call_windows, discarded_posts
from worker.staging.call_windows import CallWindow

#: How long a child serves one account in one run (seconds).
SLICE_SECONDS = 1.0
#: How long an abandoned call's window is read again: the request may still run inside Postiz.
SEARCH_FOR = timedelta(hours=24)
SOON, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=1)
#: How long to try a window that cannot be read.
TRY_FOR = timedelta(days=7)

log = get_logger("litter")


@for_account("clean")
def delete_orphans(runtime: Runtime, account_id: int) -> None:
    """Read the account's abandoned windows that are due, and delete our drafts in them."""
    delete_slice = remote_delete.DeleteSlice(ends=time.monotonic() + SLICE_SECONDS)
    windows = deque(
        call_windows.claim_windows(runtime, account_id, _is_due(), due_column="litter_at")
    )
    while windows and not delete_slice.is_over:
        window = windows.popleft()
        try:
            with translate_defects("litter", sent=True):
                left = _clean_window(runtime, window, delete_slice)
        except PressroomError as error:
            if is_defect(error):
                _record_stuck_window(runtime, window, error)
                continue
            postiz_call.record_failure(runtime, window.credentials, error)
            _postpone_window(runtime, window)
            _requeue_windows(runtime, windows)
            return
        if left is None:
            _schedule_next_read(runtime, window)
        elif left.trouble is None:
            windows.append(window)
            break
        else:
            _record_stuck_window(runtime, window, left.trouble)
    _requeue_windows(runtime, windows)
    discarded_posts.delete_due_posts(runtime, account_id, delete_slice)


def find_due_accounts(session: Session) -> list[int]:
    """Accounts with windows to read or discarded posts to delete."""
    return list(session.scalars(due_accounts_query()))


def due_accounts_query() -> Select[int]:
    windows = call_windows.has_due_windows(_is_due())
    return select(Account.id).where(is_rested(), or_(windows, discarded_posts.has_due_posts()))


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return Submission.kind == "stage", Submission.litter_at <= func.now()


def _next_read_at(now: datetime, sent_at: datetime) -> datetime | None:
    """The pause grows with the call's age, from seconds to an hour; None after `SEARCH_FOR`."""
    age = now - sent_at
    if age > SEARCH_FOR:
        return None
    return now + min(max(age, SOON), LONGEST_PAUSE)


def _schedule_next_read(runtime: Runtime, window: CallWindow) -> None:
    """None of our drafts is left: read again later, in case the request still creates some."""
    with runtime.database.transaction() as session:
        _set_due_at(session, window, _next_read_at(rate_limiter.clock(session), window.sent_at))


def _record_stuck_window(runtime: Runtime, window: CallWindow, trouble: PressroomError) -> None:
    """This window failed, mostly because Postiz does not delete a draft: the next attempt is
    delayed, longer each time, and at last it is left to a person."""
    with runtime.database.transaction() as session:
        tries = window.litter_tries + 1
        pause = ORPHAN_DELETES.pause(tries)
        detail = f"what is left of it could not be deleted: {trouble.message}"
        row = update(Submission).where(Submission.id == window.submission_id)
        session.execute(row.values(litter_tries=tries, detail=detail))
        _set_due_at(session, window, None if pause is None else rate_limiter.clock(session) + pause)
    if pause is None:
        log.error("litter is left", submission=window.submission_id, reason=trouble.message)


def _postpone_window(runtime: Runtime, window: CallWindow) -> None:
    """The read failed: due again soon, after the account's waiting time; given up after days."""
    with runtime.database.transaction() as session:
        now = rate_limiter.clock(session)
        given_up = now - window.sent_at > TRY_FOR
        _set_due_at(session, window, None if given_up else now + SOON)


def _requeue_windows(runtime: Runtime, windows: Iterable[CallWindow]) -> None:
    """Windows that were not read, or not completely, are due at once."""
    with runtime.database.transaction() as session:
        for window in windows:
            _set_due_at(session, window, rate_limiter.clock(session))


def _set_due_at(session: Session, window: CallWindow, moment: datetime | None) -> None:
    row = update(Submission).where(Submission.id == window.submission_id)
    session.execute(row.values(litter_at=moment))


@dataclass(frozen=True, kw_only=True)
class _Leftover:
    """Our drafts are left in a window: for lack of time, or because of `trouble`."""

    trouble: PressroomError | None = None


def _clean_window(
    runtime: Runtime, window: CallWindow, delete_slice: remote_delete.DeleteSlice
) -> _Leftover | None:
    """Delete our drafts in the window; returns None if none is left."""
    rows = call_windows.read_window(runtime, window)
    credentials = window.credentials
    left: _Leftover | None = None
    for row in _own_drafts(runtime, window, rows):
        try:
            if not remote_delete.delete_post(
                runtime, credentials, row.id, delete_slice, orphan=True
            ):
                return left or _Leftover()  # no time or slot left for this account
        except PressroomError as error:
            with runtime.database.transaction() as session:
                remote_delete.record_failure(session, delete_slice, credentials, error)
            left = _Leftover(trouble=error) if may_have_run(error) else left or _Leftover()
        else:
            metrics.ORPHANS_DELETED.labels("abandoned").inc()
            log.info("litter deleted", account=credentials.account_id, postiz_id=row.id)
    return left


def _own_drafts(
    runtime: Runtime, window: CallWindow, rows: Iterable[RemotePost]
) -> list[RemotePost]:
    drafts = [row for row in rows if row.state == DRAFT]
    ours = [
        row for row in drafts if compute_fingerprint(row.integration_id, row.content) in window.sent
    ]
    with runtime.database.transaction() as session:
        alive = set(
            session.scalars(
                select(Handover.postiz_id).where(
                    Handover.account_id == window.credentials.account_id,
                    Handover.postiz_id.in_([row.id for row in ours]),
                    handovers.is_alive(),
                )
            )
        )
    return [row for row in ours if row.id not in alive]
