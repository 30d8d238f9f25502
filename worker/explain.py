"""Explain: say on a post why it waits, where nobody else would."""

from sqlalchemy import ColumnElement, exists, func, not_, select, update
from sqlalchemy.orm import Session

from shared.domain.states import PostState
from shared.models import Post, Profile
from worker.eligible import elsewhere

#: The next round goes on.
AT_ONCE = 1000


def pending(session: Session, account_id: int) -> None:
    """Posts that the account's keys cannot send, told when there is nothing else to stage."""
    _say(
        session,
        (Post.account_id == account_id, Post.state == PostState.PENDING, elsewhere()),
        code="other_account",
        message="Its integration belongs to another Postiz organization than the profile's key.",
        hint="Save a key of its organization, or cancel it and publish it to another integration.",
    )


def scheduled(session: Session) -> None:
    """Posts that nobody looks at any more, for their profile has gone to another account."""
    reachable = exists().where(Profile.id == Post.profile_id, Profile.account_id == Post.account_id)
    long_due = func.now() - func.make_interval(0, 0, 0, 0, 0, 5)
    _say(
        session,
        (Post.state == PostState.SCHEDULED, Post.track_at < long_due, not_(reachable)),
        code="cannot_be_followed",
        message="The profile has another Postiz account now, so this post cannot be looked at.",
        hint="Look at the channel, or save a key of its organization again.",
    )


def _say(
    session: Session, which: tuple[ColumnElement[bool], ...], *, code: str, message: str, hint: str
) -> None:
    unsaid = select(Post.id).where(*which, Post.error_code.is_(None))
    free = unsaid.limit(AT_ONCE).with_for_update(of=Post, key_share=True, skip_locked=True)
    session.execute(
        update(Post)
        .where(Post.id.in_(free))
        .values(error_code=code, error_message=message, error_hint=hint),
        execution_options={"synchronize_session": False},
    )
