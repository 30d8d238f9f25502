"""Lost calls: counted calls whose worker is gone, or whose window nobody can read any more."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, func, or_, select, true, update
from sqlalchemy.orm import Session

from shared.domain.publishing.states import PostState
from shared.models import Post, Profile, Submission
from shared.posts import transitions
from worker.staging import draft_adoption

#: In one round; the next one goes on.
AT_ONCE = 100
GONE = "the worker was gone before Postiz answered"


def rescue_calls(session: Session, lease_seconds: float, *, wait_seconds: float) -> int:
    """Calls whose worker is gone created drafts or nothing: their windows are looked at.

    Returns how many there were. A call of which somebody still holds the row, or a post, is left
    to the next round. A move to 2099 creates nothing: its posts are looked at, and moved again.
    """
    lost_before = func.now() - timedelta(seconds=lease_seconds)
    lost = _lock_free_calls(
        session, Submission.state == "sending", Submission.sent_at < lost_before
    )
    moves = update(Submission).where(Submission.id.in_(lost), Submission.kind == "park")
    session.execute(moves.values(state="abandoned", detail=GONE))
    until = func.greatest(func.now(), Submission.sent_at + timedelta(seconds=wait_seconds))
    calls = select(Submission.id).where(Submission.id.in_(lost), Submission.kind == "stage")
    ids = session.scalars(calls).all()
    draft_adoption.mark_unclear(session, ids, GONE, look_at=func.now(), may_run_until=until)
    return len(lost)


def give_up_calls(session: Session, *, all_of_them: bool = False) -> int:
    """Windows that no key can read any more, or could for a day: their posts are staged anew."""
    still_here = select(Profile.id).where(
        Profile.id == Submission.profile_id, Profile.account_id == Submission.account_id
    )
    hopeless = or_(
        true() if all_of_them else ~still_here.exists(),
        Submission.may_run_until < func.now() - draft_adoption.TRY_FOR,
    )
    calls = _lock_free_calls(session, Submission.state == "unclear", hopeless)
    for submission_id in calls:
        submission = session.get_one(Submission, submission_id)
        rows = draft_adoption.lock_waiting(session, submission_id)
        draft_adoption.put_back_unclear(session, submission, rows, "nobody could look for it")
    draft_adoption.abandon_calls(session, calls)
    return len(calls)


def _lock_free_calls(session: Session, *conditions: ColumnElement[bool]) -> Sequence[int]:
    """Such calls of which, and of whose posts, nobody else holds a row; both are ours now."""
    calls = session.scalars(
        select(Submission.id)
        .where(*conditions)
        .order_by(Submission.sent_at)
        .limit(AT_ONCE)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    under_way = (Post.submission_id.in_(calls), Post.state == PostState.STAGING)
    held = transitions.locked_by_others(session, *under_way)
    busy = set(session.scalars(select(Post.submission_id).where(Post.id.in_(held))))
    return [submission_id for submission_id in calls if submission_id not in busy]
