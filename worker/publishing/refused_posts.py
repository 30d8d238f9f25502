"""Refused posts: Postiz refused them for their channel, and sent nothing of them to the network.

They are taken back as an edited post is (deleted, and seen to be gone), and then wait for their
channel. Nobody has to retry them.
"""

from datetime import datetime, timedelta

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from shared.accounts import channel_states
from shared.domain.networks.channel_states import NOT_READY, TOLD, hint_of, state_told_by
from shared.domain.networks.failure_reasons import NONE_GIVEN, Reason, is_before_sending
from shared.domain.publishing.states import PostState
from shared.jobs import progress
from shared.models import Event, Post
from shared.posts import transitions
from worker.accounts import rate_limiter
from worker.accounts.remote_posts import Subject
from worker.publishing.failure_notices import CLOCK_MARGIN, FailureNotices
from worker.runtime import Runtime

#: The event in a post's timeline.
REFUSED = "refused_before_sending"

#: Another error than these says more of the post than that its channel is not ready.
_UNTROUBLED = (None, NONE_GIVEN.code, *TOLD)
#: A post that is cancelled or edited may have been refused before that.
_WITHDRAWN = (PostState.CANCELLING, PostState.CANCELLED, PostState.RESCHEDULING)
#: Refusals are counted from shortly before the post was due. Postiz writes each down before it
#: shows the error, so whichever post it is of, we learnt of it after that.
_SHORTLY = 2 * CLOCK_MARGIN


def note_channel(session: Session, subject: Subject, reason: Reason | None) -> None:
    """If the reason for a failure tells that the post's channel is not ready, its posts wait.

    Only when it is told first: the channel may have been connected again since.
    """
    if reason is None or reason == subject.reason:
        return
    if (state := state_told_by(reason)) is not None:
        account_id = subject.credentials.account_id
        channel_states.mark_not_ready(
            session, account_id, subject.integration_id, state, reason.message
        )


def is_certain(
    runtime: Runtime,
    subject: Subject,
    reason: Reason | None,
    notices: FailureNotices | None,
    due_at: datetime,
) -> bool:
    """Whether nothing of a post in error can be on the network.

    Postiz's notice names the channel and not the post, but there is one for each refused post. So
    since this post was due, there must be as many as posts of the channel that ended badly or are
    not known to have ended. A post that stood in Postiz's queue beyond its time may have been begun
    twice there, and only the second time refused; so that is left to a person.
    """
    if reason is None or notices is None or state_told_by(reason) is None:
        return False
    if not is_before_sending(reason.message):
        return False
    if subject.error_code not in _UNTROUBLED or subject.word_at is not None:
        return False
    with runtime.database.transaction() as session:
        late = (subject.error_at or rate_limiter.clock(session)) - due_at
        unexplained = _count_unexplained(session, subject, due_at)
    in_time = late < timedelta(seconds=runtime.settings.overdue_seconds)
    return in_time and notices.count_refusals(subject, due_at) >= unexplained


def _count_unexplained(session: Session, subject: Subject, since: datetime) -> int:
    """Posts of the channel that Postiz was to publish since then, and is not known to have."""
    of_channel = (
        Post.account_id == subject.credentials.account_id,
        (Post.integration_id == subject.integration_id),
    )
    lately = since - _SHORTLY
    begun = func.greatest(Post.released_at, Post.publish_at) <= func.clock_timestamp()
    under_way = Post.state.in_((PostState.RELEASING, PostState.SCHEDULED)) & begun
    failed = (Post.state == PostState.FAILED) & (Post.error_at >= lately)
    withdrawn = Post.state.in_(_WITHDRAWN) & (Post.updated_at >= lately)
    said_so = exists().where(Event.post_id == Post.id, Event.event == REFUSED, Event.at >= lately)
    taken_back = and_(Post.updated_at >= lately, said_so)
    counted = or_(Post.id == subject.post_id, under_way, failed, withdrawn, taken_back)
    return session.scalar(select(func.count()).where(*of_channel, counted)) or 0


def take_back(session: Session, subject: Subject, reason: Reason) -> None:
    """Raises `ClaimLost` if the post is not ours any more."""
    state = state_told_by(reason)
    assert state is not None  # only a reason about its channel is certain
    values = {
        "lease_until": func.now(),
        "track_at": None,
        "error_code": NOT_READY,
        "error_message": reason.message,
        "error_hint": hint_of(state),
    }
    transitions.move_posts(
        session,
        [subject.post_id],
        PostState.SCHEDULED,
        PostState.RESCHEDULING,
        event=REFUSED,
        detail=reason.message,
        claim=subject.claim,
        values=values,
    )
    progress.reopen_jobs(session, [subject.post_id])


def was_refused(subject: Subject) -> bool:
    """Whether the post is taken back because of such a refusal."""
    return subject.state is PostState.RESCHEDULING and subject.error_code == NOT_READY
