"""Unreachable posts: releases that can no longer be read are left to a person after some time."""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from shared.domain.publishing.states import PostState
from shared.models import Handover, Post
from shared.posts import handovers, transitions
from worker.accounts.eligibility import has_left_account
from worker.publishing import unknown_outcomes

#: Maximum posts in one round; the next round continues.
BATCH = 500


#: The error of a post that is cancelled where nobody can delete its draft.
LEFT_IN_POSTIZ = {
    "error_code": "draft_left_in_postiz",
    "error_message": "It never publishes, but its draft may still be in the Postiz that its "
    "profile has left.",
    "error_hint": "Delete the draft in Postiz's calendar.",
}
#: What is being taken out of Postiz, cancelled or edited.
TAKEN_BACK = (PostState.CANCELLING, PostState.RESCHEDULING)


def is_taken_back_unseen(seconds: float) -> tuple[ColumnElement[bool], ...]:
    """Posts that were being taken out of the calendar of an account that their profile has left,
    `seconds` after their time."""
    return (
        Post.state.in_(TAKEN_BACK),
        Post.lease_until < func.now(),
        Post.released_at.is_not(None),
        Post.publish_at < func.now() - timedelta(seconds=seconds),
        has_left_account(),
    )


def is_left_draft() -> tuple[ColumnElement[bool], ...]:
    """Cancelled posts that were never released, in an account that their profile has left."""
    return (
        Post.state == PostState.CANCELLING,
        Post.lease_until < func.now(),
        Post.released_at.is_(None),
        exists().where(handovers.is_alive_of_post()),
        has_left_account(),
    )


def is_unreachable(seconds: float) -> tuple[ColumnElement[bool], ...]:
    """Releases that no key can read, `seconds` after they were made."""
    return (
        Post.state == PostState.RELEASING,
        Post.lease_until < func.now(),
        Post.released_at < func.now() - timedelta(seconds=seconds),
        has_left_account(),
    )


def is_old() -> tuple[ColumnElement[bool], ...]:
    """Releases that were reconciled for a day without a result, the last time within an hour."""
    day_ago, lately = func.now() - timedelta(days=1), func.now() - timedelta(hours=1)
    recent_report = exists().where(handovers.is_alive_of_post(), Handover.word_at >= day_ago)
    return (
        Post.state == PostState.RELEASING,
        Post.released_at < day_ago,
        Post.lease_until.between(lately, func.now()),
        ~recent_report,
    )


def give_up(session: Session, seconds: float) -> None:
    """Leave releases to a person that no key can read any more, `seconds` after the release.

    Their profile uses another account now; a release of unknown outcome is never moved there.
    """
    message = "The profile has another Postiz account now, so its release cannot be looked at."
    _leave_to_person(session, PostState.RELEASING, is_unreachable(seconds), message)


def cancel_left_drafts(session: Session) -> None:
    """They are cancelled: what is left of them in Postiz never publishes."""
    query = select(Post.id).where(*is_left_draft()).order_by(Post.id).limit(BATCH)
    ids = session.scalars(query.with_for_update(key_share=True, skip_locked=True)).all()
    transitions.retire_handovers(
        session, ids, "cancelled, when the profile had another account", discard=True
    )
    transitions.move_posts(
        session,
        ids,
        PostState.CANCELLING,
        PostState.CANCELLED,
        event="cancelled",
        values=LEFT_IN_POSTIZ,
    )


def give_up_taken_back(session: Session, seconds: float) -> None:
    """Leave posts to a person where nobody can see whether they were deleted before their time."""
    message = "It was being taken out of Postiz when its profile got another account there."
    for state in TAKEN_BACK:
        which = (*is_taken_back_unseen(seconds), Post.state == state)
        _leave_to_person(session, state, which, message)


def give_up_old(session: Session) -> None:
    """Leave releases to a person that were reconciled for a day without a result.

    Releases that nobody has tried in the last hour are not included: Pressroom was stopped, or
    their key is held.
    """
    message = "For a day Postiz could not say what became of its release."
    _leave_to_person(session, PostState.RELEASING, is_old(), message, follow=True)


def _leave_to_person(
    session: Session,
    state: PostState,
    which: Iterable[ColumnElement[bool]],
    message: str,
    *,
    follow: bool = False,
) -> None:
    """A batch of these posts, which are all of this state."""
    query = select(Post.id).where(*which).limit(BATCH)
    ids = session.scalars(query.with_for_update(key_share=True, skip_locked=True)).all()
    unknown_outcomes.leave_to_person(session, ids, state, message, follow=follow)
