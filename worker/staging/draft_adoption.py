"""Draft adoption: keeps the drafts that a call of unknown outcome created, and stages only the
missing posts again.

Reading Postiz at the call's own millisecond shows what was created. Until then the posts stay
`staging`, and the call's row is the claim to them: a worker continues only if it finds the row
`unclear`, under a lock. When no post waits for the call any more, the call becomes `abandoned`;
drafts that it creates later, or created twice, are orphans (orphan_drafts.py). So a draft is either
adopted or deleted, never both.

Postiz creates a post in one write, with its content, settings and media (docs/POSTIZ.md, "Creating
posts"): a draft that exists is complete. A thread is written part by part, and Postiz does not show
how many there are: its draft is never adopted, but deleted, and another one made.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session

from shared.domain.publishing import draft_matching
from shared.domain.publishing.reconciliation import DRAFT
from shared.domain.publishing.staging_attempts import UNCLEAR
from shared.domain.publishing.states import PostState
from shared.errors import PressroomError
from shared.models import Account, Handover, Post, Submission
from shared.postiz.client import RemotePost
from shared.posts import transitions
from worker.accounts import leases, rate_limiter
from worker.accounts.defects import is_defect, translate_defects
from worker.accounts.eligibility import is_rested
from worker.accounts.error_policy import is_about_single_id
from worker.runtime import Runtime
from worker.staging import call_windows
from worker.staging.adopted_drafts import adopt_matches
from worker.staging.call_windows import CallWindow
from worker.staging.staged_drafts import requeue_counted

#: When a failed read is repeated, after the account's waiting time.
RETRY_AFTER = timedelta(seconds=5)
#: When a read that failed with an unexpected error is repeated.
RETRY_DEFECT_AFTER = timedelta(minutes=5)
#: How long to try a window that cannot be read; in this time nothing else can be staged either.
TRY_FOR = timedelta(hours=24)


def mark_failed_call(
    session: Session, runtime: Runtime, submission: Submission, error: PressroomError
) -> None:
    """Mark a call of unknown outcome; if Postiz itself answered, it creates nothing more."""
    now = rate_limiter.clock(session)
    wait = timedelta(seconds=runtime.settings.unknown_release_seconds)
    if is_about_single_id(error):
        mark_unclear(session, [submission.id], error.message, look_at=now, may_run_until=now)
    else:
        look_at = now + min(draft_matching.FIRST_LOOK, wait)
        until = submission.sent_at + wait
        mark_unclear(session, [submission.id], error.message, look_at=look_at, may_run_until=until)


def mark_unclear(
    session: Session,
    ids: Sequence[int],
    detail: str,
    *,
    look_at: datetime | ColumnElement[datetime],
    may_run_until: datetime | ColumnElement[datetime],
) -> None:
    values = {
        "state": "unclear",
        "detail": detail,
        "look_at": look_at,
        "may_run_until": may_run_until,
    }
    session.execute(update(Submission).where(Submission.id.in_(ids)).values(values))
    waiting = Post.submission_id.in_(ids), Post.state == PostState.STAGING
    # no worker holds these posts any more, so a cancel need not wait for the lease
    free_posts = update(Post).where(*waiting).values(lease_until=func.now()).returning(Post.id)
    freed_ids = session.scalars(free_posts, execution_options={"synchronize_session": False}).all()
    transitions.add_events(session, freed_ids, "staging_unknown", detail)


def adopt_drafts(runtime: Runtime, account_id: int) -> None:
    """Read the account's due windows and adopt the drafts in them."""
    due = (*_is_due(), is_rested())
    for window in call_windows.claim_windows(runtime, account_id, due, due_column="look_at"):
        try:
            with translate_defects("adopt", sent=False):
                _adopt_from_window(runtime, window)
        except PressroomError as error:
            _postpone_window(runtime, window, error)
            if not is_defect(error):
                return


def _adopt_from_window(runtime: Runtime, window: CallWindow) -> None:
    rows = call_windows.read_window(runtime, window)
    with runtime.database.transaction() as session:
        leases.record_answer(session, window.credentials.account_id)
        _resolve_call(session, runtime, window, rows)
    runtime.waker.release()


def find_due_accounts(session: Session) -> Sequence[int]:
    """Accounts with a window to read."""
    return session.scalars(due_accounts_query()).all()


def due_accounts_query() -> Select[int]:
    return select(Account.id).where(is_rested(), call_windows.has_due_windows(_is_due()))


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return Submission.state == "unclear", Submission.look_at <= func.now()


def _postpone_window(runtime: Runtime, window: CallWindow, error: PressroomError) -> None:
    """Read the window again later; an unexpected error affects this window, not the account."""
    pause = RETRY_DEFECT_AFTER if is_defect(error) else RETRY_AFTER
    with runtime.database.transaction() as session:
        if not is_defect(error):
            leases.record_failure(session, window.credentials, error)
        row = update(Submission).where(Submission.id == window.submission_id)
        session.execute(row.values(look_at=func.now() + pause))


def _resolve_call(
    session: Session, runtime: Runtime, window: CallWindow, rows: Sequence[RemotePost]
) -> None:
    """Adopt drafts that exist; missing posts that cannot wait become pending; read again for the
    others."""
    query = select(Submission).where(
        Submission.id == window.submission_id, Submission.state == "unclear"
    )
    submission = session.scalars(query.with_for_update(key_share=True)).one_or_none()
    if submission is None:
        return  # another worker has finished it
    waiting = lock_waiting(session, submission.id)
    found = adopt_matches(
        session, runtime, submission, waiting, _unknown_posts(session, window, rows)
    )
    now, until = rate_limiter.clock(session), submission.may_run_until
    missing = [post for post in waiting if post.id not in found]
    patient_ids = [
        post.id
        for post in missing
        if until is not None
        and draft_matching.may_await_draft(post.publish_at, now, may_run_until=until)
    ]
    requeued = [post for post in missing if post.id not in patient_ids]
    requeue_unclear(session, submission, requeued, "it is not in Postiz")
    if patient_ids and until is not None:
        submission.look_at = draft_matching.next_look_at(
            now, submission.sent_at, may_run_until=until
        )
    else:
        abandon_calls(session, [submission.id])


def lock_waiting(session: Session, submission_id: int) -> Sequence[Post]:
    """Lock the posts of a call that have no draft yet, the earliest due first."""
    return session.scalars(
        select(Post)
        .where(Post.submission_id == submission_id, Post.state == PostState.STAGING)
        .order_by(Post.publish_at, Post.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()


def _unknown_posts(
    session: Session, window: CallWindow, rows: Sequence[RemotePost]
) -> list[RemotePost]:
    """Posts with unknown ids, in a stable order; first those that are no longer drafts."""
    ids = [row.id for row in rows]
    query = select(Handover.postiz_id).where(
        Handover.account_id == window.credentials.account_id, Handover.postiz_id.in_(ids)
    )
    known = set(session.scalars(query))
    return sorted(
        (row for row in rows if row.id not in known), key=lambda row: (row.state == DRAFT, row.id)
    )


def requeue_unclear(
    session: Session, submission: Submission, rows: Sequence[Post], detail: str
) -> None:
    """Make these posts of a call of unknown outcome pending again."""
    requeue_counted(
        session,
        rows,
        pack=submission.elements,
        event="staging_undone",
        detail=detail,
        patience=UNCLEAR,
    )


def abandon_calls(session: Session, ids: Sequence[int]) -> None:
    """No post waits for these calls any more: what they still create are orphan drafts."""
    values = {"state": "abandoned", "look_at": None, "litter_at": func.now()}
    session.execute(update(Submission).where(Submission.id.in_(ids)).values(values))
