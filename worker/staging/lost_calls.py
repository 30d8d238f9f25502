"""Lost calls: counted calls whose worker died, or whose window cannot be read any more."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, func, or_, select, true, update
from sqlalchemy.orm import Session

from shared.domain.publishing.states import PostState
from shared.models import Post, Profile, Submission
from shared.posts import transitions
from worker.staging import draft_adoption

#: Calls in one round; the next round continues.
BATCH = 100
GONE = "the worker was gone before Postiz answered"


def is_lost(lease_seconds: float) -> tuple[ColumnElement[bool], ...]:
    """Calls under way for longer than a lease: their worker died."""
    lost_before = func.now() - timedelta(seconds=lease_seconds)
    return Submission.state == "sending", Submission.sent_at < lost_before


def is_hopeless(*, all_of_them: bool = False) -> tuple[ColumnElement[bool], ...]:
    """Calls of unknown outcome whose windows are given up."""
    still_here = select(Profile.id).where(
        Profile.id == Submission.profile_id, Profile.account_id == Submission.account_id
    )
    hopeless = or_(
        true() if all_of_them else ~still_here.exists(),
        Submission.may_run_until < func.now() - draft_adoption.TRY_FOR,
    )
    return Submission.state == "unclear", hopeless


def rescue_calls(session: Session, lease_seconds: float, *, wait_seconds: float) -> int:
    """Mark calls whose worker died as unclear, so that their windows are read; returns how many.

    A call is left to the next round while somebody has locked its row or a post of it. A move to
    2099 creates nothing: it is abandoned, and its posts are read and moved again.
    """
    lost = _lock_free_calls(session, *is_lost(lease_seconds))
    moves = update(Submission).where(Submission.id.in_(lost), Submission.kind == "park")
    session.execute(moves.values(state="abandoned", detail=GONE))
    until = func.greatest(func.now(), Submission.sent_at + timedelta(seconds=wait_seconds))
    calls = select(Submission.id).where(Submission.id.in_(lost), Submission.kind == "stage")
    ids = session.scalars(calls).all()
    draft_adoption.mark_unclear(session, ids, GONE, look_at=func.now(), may_run_until=until)
    return len(lost)


def give_up_calls(session: Session, *, all_of_them: bool = False) -> int:
    """Give up windows that no key can read any more, or that could not be read for a day: their
    posts are staged again. Returns how many."""
    calls = _lock_free_calls(session, *is_hopeless(all_of_them=all_of_them))
    for submission_id in calls:
        submission = session.get_one(Submission, submission_id)
        rows = draft_adoption.lock_waiting(session, submission_id)
        draft_adoption.requeue_unclear(session, submission, rows, "nobody could look for it")
    draft_adoption.abandon_calls(session, calls)
    return len(calls)


def _lock_free_calls(session: Session, *conditions: ColumnElement[bool]) -> Sequence[int]:
    """Lock such calls with their posts, without those that somebody else has locked."""
    calls = session.scalars(
        select(Submission.id)
        .where(*conditions)
        .order_by(Submission.sent_at)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    under_way = (Post.submission_id.in_(calls), Post.state == PostState.STAGING)
    held = transitions.locked_by_others(session, *under_way)
    busy = set(session.scalars(select(Post.submission_id).where(Post.id.in_(held))))
    return [submission_id for submission_id in calls if submission_id not in busy]
