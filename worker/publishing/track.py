"""Track: follows a post in Postiz until it is published, or failed with a reason."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, update
from sqlalchemy.orm import Session

from shared import failpoints
from shared.domain.networks.failure_reasons import INCOMPLETE, Reason, describe_incomplete
from shared.domain.publishing.reconciliation import (
    OVERDUE,
    PUBLISHED,
    UNSCHEDULED,
    Errored,
    Failed,
    FirstPublished,
    LookAgain,
    Overdue,
    Published,
    TrackStep,
)
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, Defect
from shared.jobs import progress
from shared.models import Handover, Post
from shared.postiz.client import RemotePost
from shared.posts import transitions
from worker.accounts import leases, rate_limiter, remote_posts
from worker.accounts.defects import for_account
from worker.accounts.eligibility import eligible_accounts_query
from worker.publishing import refused_posts, unknown_outcomes, usual_outcomes
from worker.publishing.failure_notices import FailureNotices
from worker.runtime import Runtime

SLICE_SECONDS = 1.0
#: A failed post is tracked too, for a day: Postiz sometimes finds out late that it succeeded.
TRACKED = (PostState.SCHEDULED, PostState.FAILED)
FOLLOW_FAILED = timedelta(hours=24)
FAILED_PAUSE = timedelta(minutes=10)
#: The code of a post that no key can read any more (worker/publishing/blocked_reasons.py).
CANNOT_BE_FOLLOWED = "cannot_be_followed"
#: Errors of a scheduled post that are cleared when Postiz is seen to have it scheduled.
CLEARED_CODES = (OVERDUE, UNSCHEDULED, CANNOT_BE_FOLLOWED, Defect.code)
#: Reasons that do not depend on Postiz's notifications.
REASONS = {
    "removed_in_postiz": Reason(
        code="removed_in_postiz",
        message="Postiz does not list the post any more, and Pressroom did not delete it: somebody "
        "did there, or its channel is disconnected.",
        hint="Ask who deleted it there; look at the channel before you retry it.",
    ),
    UNSCHEDULED: Reason(
        code=UNSCHEDULED,
        message="Somebody turned the post back into a draft in Postiz.",
        hint="Schedule it in Postiz, or retry it here.",
    ),
    OVERDUE: Reason(
        code=OVERDUE,
        message="Its time is over, and Postiz still has it in its queue: it may still be "
        "processing (a video takes up to half an hour), it may have been sent, or Postiz has lost "
        "it.",
        hint="Look at the channel, and at Postiz's workers. Where it is not published: retry it "
        'with {"confirm_not_published": true}, or cancel it.',
    ),
    "outcome_unknown": Reason(
        code="outcome_unknown",
        message="Postiz had it in its queue for three days after its time, and never said what "
        "became of it.",
        hint=unknown_outcomes.HINT,
    ),
}


@for_account("track")
def track(runtime: Runtime, account_id: int) -> None:
    """Read the account's posts that are due to be tracked, and record what is seen."""
    subjects = remote_posts.claim_subjects(
        runtime, account_id, _is_due(*TRACKED), lease_column="track_at"
    )
    ends, notices = time.monotonic() + SLICE_SECONDS, FailureNotices(runtime)
    for group in remote_posts.read_groups(runtime, account_id, subjects, ends=ends):
        track_group(runtime, group, notices)


def find_due_accounts(session: Session) -> list[int]:
    """Accounts with posts to track."""
    return [account_id for query in due_accounts_queries() for account_id in session.scalars(query)]


def due_accounts_queries() -> list[Select[int]]:
    """One for each state, so that the index is used."""
    return [eligible_accounts_query(*_is_due(state)) for state in TRACKED]


def _is_due(*states: PostState) -> tuple[ColumnElement[bool], ...]:
    return Post.state.in_(states), Post.track_at <= func.now()


def track_group(
    runtime: Runtime,
    group: Sequence[remote_posts.Seen],
    notices: FailureNotices | None = None,
) -> None:
    """Record what was seen of posts that were read together, all of one claim."""
    for subject, remote in usual_outcomes.record_tracked(runtime, group):
        with remote_posts.isolate_post(runtime, "track", subject):
            track_post(runtime, subject, remote, notices)


def track_post(
    runtime: Runtime,
    subject: remote_posts.Subject,
    remote: RemotePost | None,
    notices: FailureNotices | None = None,
) -> None:
    """Record what was seen of a post; `notices`: shared by the posts of a run."""
    with runtime.database.transaction() as session:
        now = rate_limiter.clock(session)
    if subject.state is PostState.FAILED:
        _track_failed_post(runtime, subject, remote, now)
        return
    due_at = remote_posts.due_at(subject, remote)
    patience = usual_outcomes.patience_from_settings(runtime)
    step = usual_outcomes.choose_track_step(subject, remote, now, patience)
    reason = _fixed_reason(step)
    if reason is None and isinstance(step, Failed | Errored):
        notices = notices or FailureNotices(runtime)
        reason = notices.find(subject, due_at=due_at, seen_at=subject.error_at or now)
        reason = describe_incomplete(reason) if _is_incomplete(subject, remote) else reason
    is_refused = refused_posts.is_certain(runtime, subject, reason, notices, due_at)
    failpoints.hit("track.before_commit")
    try:
        with runtime.database.transaction() as session:
            refused_posts.note_channel(session, subject, reason)
            if is_refused and reason is not None:
                refused_posts.take_back(session, subject, reason)
                return
            if reason is not None and reason.code == INCOMPLETE:
                _note_first_part(session, subject, remote)
            _record_step(session, subject, remote, step, reason)
    except ClaimLost:
        return  # another worker was faster
    failpoints.hit("track.after_commit")


def _fixed_reason(step: TrackStep) -> Reason | None:
    """The reason, if it does not depend on Postiz's notifications."""
    match step:
        case Failed(code=code) | Overdue(code=code):
            return REASONS.get(code)
    return None


def _is_incomplete(subject: remote_posts.Subject, remote: RemotePost | None) -> bool:
    """Whether an error is of a later part of a thread: its first part has an address."""
    if subject.thread is None:
        return False
    has_address = remote is not None and remote.release_url is not None
    return has_address or subject.thread.since is not None


def _record_step(
    session: Session,
    subject: remote_posts.Subject,
    remote: RemotePost | None,
    step: TrackStep,
    reason: Reason | None,
) -> None:
    match step:
        case Published():
            usual_outcomes.mark_published(session, [(subject, remote)])
        case FirstPublished(after=pause):
            _record_first_part(session, subject, remote, pause)
        case Failed():
            assert reason is not None  # each failure has one
            transitions.fail_posts(
                session,
                [subject.post_id],
                PostState.SCHEDULED,
                code=reason.code,
                message=reason.message,
                hint=reason.hint,
                claim=subject.claim,
                track_at=leases.now_plus(FAILED_PAUSE.total_seconds()),
            )
        case Errored(after=pause):
            known = subject.error_at is not None and subject.reason == reason
            _record_doubt(
                session, subject, pause, reason, event=None if known else "error_in_postiz"
            )
        case Overdue(code=code, after=pause, final=final):
            event = None if subject.error_code == code else code
            _record_doubt(session, subject, pause, reason, event=event, final=final)
        case LookAgain(after=pause):
            has_error = subject.in_doubt or subject.error_code in CLEARED_CODES
            cleared = transitions.CLEARED_BY_MOVE if has_error else {}
            _update_claimed_post(session, subject, {**cleared, "track_at": func.now() + pause})
    if remote is not None and remote.publish_at != subject.markers[0]:
        handover_update = update(Handover).where(Handover.id == subject.handover_id)
        session.execute(handover_update.values(marker_at=remote.publish_at))


def _record_first_part(
    session: Session,
    subject: remote_posts.Subject,
    remote: RemotePost | None,
    pause: timedelta,
) -> None:
    """The first part of a thread is published: from now on the rest is waited for."""
    cleared = transitions.CLEARED_BY_MOVE if subject.state is PostState.SCHEDULED else {}
    _update_claimed_post(session, subject, {**cleared, "track_at": func.now() + pause})
    _note_first_part(session, subject, remote)


def _note_first_part(
    session: Session, subject: remote_posts.Subject, remote: RemotePost | None
) -> None:
    """The address of a thread's first part, and when it was first seen there."""
    if remote is None or subject.thread is None or subject.thread.since is not None:
        return
    url = remote.release_url
    now = func.now()
    values: dict[str, object] = {"release_url": url, "published_at": now, "updated_at": now}
    _update_claimed_post(session, subject, values)
    transitions.add_events(session, [subject.post_id], "first_part_published", url)


def _record_doubt(
    session: Session,
    subject: remote_posts.Subject,
    pause: timedelta,
    reason: Reason | None,
    *,
    event: str | None,
    final: bool = False,
) -> None:
    """The post may still be published: its job waits for it, unless the doubt is `final`.

    `event`: the entry for the timeline, None for no entry.
    """
    values: dict[str, object] = {"track_at": func.now() + pause, "in_doubt": not final}
    if reason is not None:
        values |= {
            "error_code": reason.code,
            "error_message": reason.message,
            "error_hint": reason.hint,
        }
    if event == "error_in_postiz":
        values["error_at"] = func.coalesce(Post.error_at, func.now())
    if event is not None or subject.in_doubt == final:
        values["updated_at"] = func.now()
    _update_claimed_post(session, subject, values)
    if event is not None:
        transitions.add_events(
            session, [subject.post_id], event, reason.message if reason else None
        )
        progress.reopen_jobs(session, [subject.post_id])


def _track_failed_post(
    runtime: Runtime, subject: remote_posts.Subject, remote: RemotePost | None, now: datetime
) -> None:
    """A failed post may turn out to be published; other changes are ignored."""
    recent = subject.error_at is not None and now - subject.error_at < FOLLOW_FAILED
    is_published = remote is not None and remote.state == PUBLISHED
    patience = usual_outcomes.patience_from_settings(runtime)
    step = usual_outcomes.choose_track_step(subject, remote, now, patience)
    try:
        with runtime.database.transaction() as session:
            if is_published and (step == Published() or not recent):
                usual_outcomes.mark_published(session, [(subject, remote)])
            elif isinstance(step, FirstPublished):
                _record_first_part(session, subject, remote, FAILED_PAUSE)
            else:
                _update_claimed_post(
                    session, subject, {"track_at": now + FAILED_PAUSE if recent else None}
                )
    except ClaimLost:
        return  # a person has retried the post


def _update_claimed_post(
    session: Session, subject: remote_posts.Subject, values: dict[str, object]
) -> None:
    """Raises `ClaimLost` if another worker has claimed the post, or a person has cancelled it."""
    ours = Post.id == subject.post_id, Post.claim == subject.claim, Post.state == subject.state
    updated_id = session.scalar(update(Post).where(*ours).values(values).returning(Post.id))
    if updated_id is None:
        raise ClaimLost(f"post {subject.post_id} is no longer {subject.state} and ours to follow")
