"""Adopt: keep what a call of unknown end created, and stage anew only what is missing.

The call's own millisecond shows it. Until that was looked at its posts stay `staging`, and the row
of the call is the claim to them: whoever goes on finds it `unclear`, under a lock, or stops. Once
nobody waits for the call any more it is `abandoned`; what it creates then, or created twice, is
litter (orphan_drafts.py). So nothing is ever adopted that may be deleted, nor the other way round.

An element is created by one write, with its content, settings and media (docs/POSTIZ.md, "Creating
posts"): a draft that is there is whole.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, update
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
from worker.staging.staged_drafts import put_back_counted

#: A look that came to nothing is made again after so long, and the account's rest.
AGAIN = timedelta(seconds=5)
#: One that failed as nobody foresaw.
LATER = timedelta(minutes=5)
#: A window that cannot be looked at is tried for so long; nothing can be staged then either.
TRY_FOR = timedelta(hours=24)


def mark_failed_call(
    session: Session, runtime: Runtime, submission: Submission, error: PressroomError
) -> None:
    """Its call ended unclear; after an answer of Postiz's own it creates nothing more."""
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
    # nobody works on them any more: what is taken back now need not wait
    free_posts = update(Post).where(*waiting).values(lease_until=func.now()).returning(Post.id)
    freed_ids = session.scalars(free_posts, execution_options={"synchronize_session": False}).all()
    transitions.add_events(session, freed_ids, "staging_unknown", detail)


def adopt_drafts(runtime: Runtime, account_id: int) -> None:
    """Look at the account's windows that are due."""
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
    """The accounts with such a window to look at."""
    due = is_rested(), call_windows.has_due_windows(_is_due())
    return session.scalars(select(Account.id).where(*due)).all()


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return Submission.state == "unclear", Submission.look_at <= func.now()


def _postpone_window(runtime: Runtime, window: CallWindow, error: PressroomError) -> None:
    """It is looked at again; what is wrong with this window alone rests nobody."""
    pause = LATER if is_defect(error) else AGAIN
    with runtime.database.transaction() as session:
        if not is_defect(error):
            leases.record_failure(session, window.credentials, error)
        row = update(Submission).where(Submission.id == window.submission_id)
        session.execute(row.values(look_at=func.now() + pause))


def _resolve_call(
    session: Session, runtime: Runtime, window: CallWindow, rows: Sequence[RemotePost]
) -> None:
    """Adopt what is there, put back what is not and cannot wait, and look again for the rest."""
    query = select(Submission).where(
        Submission.id == window.submission_id, Submission.state == "unclear"
    )
    submission = session.scalars(query.with_for_update(key_share=True)).one_or_none()
    if submission is None:
        return  # somebody else has ended it
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
    put_back_unclear(session, submission, requeued, "it is not in Postiz")
    if patient_ids and until is not None:
        submission.look_at = draft_matching.next_look_at(
            now, submission.sent_at, may_run_until=until
        )
    else:
        abandon_calls(session, [submission.id])


def lock_waiting(session: Session, submission_id: int) -> Sequence[Post]:
    """The posts of a call that have no draft yet, the earliest due first."""
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
    """What we never had an id of, in an order that stays; what is no draft any more first."""
    ids = [row.id for row in rows]
    query = select(Handover.postiz_id).where(
        Handover.account_id == window.credentials.account_id, Handover.postiz_id.in_(ids)
    )
    known = set(session.scalars(query))
    return sorted(
        (row for row in rows if row.id not in known), key=lambda row: (row.state == DRAFT, row.id)
    )


def put_back_unclear(
    session: Session, submission: Submission, rows: Sequence[Post], detail: str
) -> None:
    """Have these posts of a call of unknown end staged anew."""
    put_back_counted(
        session,
        rows,
        pack=submission.elements,
        event="staging_undone",
        detail=detail,
        patience=UNCLEAR,
    )


def abandon_calls(session: Session, ids: Sequence[int]) -> None:
    """Nobody waits for these calls any more: from here on what they leave is litter."""
    values = {"state": "abandoned", "look_at": None, "litter_at": func.now()}
    session.execute(update(Submission).where(Submission.id.in_(ids)).values(values))
