"""Track: follow what Postiz does with a post until it is published, or failed with its reason."""

import time
from datetime import datetime, timedelta

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from shared import failpoints, posts
from shared.domain.reasons import Notice, Reason, find_reason
from shared.domain.settling import PUBLISHED, Errored, Failed, LookAgain, Published, track_step
from shared.domain.states import PostState
from shared.errors import ClaimLost, PressroomError
from shared.models import Handover, Post
from shared.postiz import RemotePost
from worker import accounts, calling, look, pace
from worker.runtime import Runtime

TURN = 1.0
#: A failed post is followed too, for a day: Postiz sometimes learns late that it succeeded.
TRACKED = (PostState.SCHEDULED, PostState.FAILED)
FOLLOW_FAILED = timedelta(hours=24)
FAILED_PAUSE = timedelta(minutes=10)
#: A post that is still queued so long after its time is shown as such, and never released again.
OVERDUE = timedelta(minutes=5)
VANISHED = {
    "removed_in_postiz": Reason(
        code="removed_in_postiz",
        message="The post is no longer in Postiz, and Pressroom did not delete it.",
        hint="Ask who deleted it there; look at the channel before you retry it.",
    ),
    "unscheduled_in_postiz": Reason(
        code="unscheduled_in_postiz",
        message="Somebody turned the post back into a draft in Postiz.",
        hint="Schedule it in Postiz, or retry it here.",
    ),
}


def track(runtime: Runtime, account_id: int) -> None:
    """Look at the account's scheduled posts that are due for it."""
    due = [Post.state.in_(TRACKED), Post.track_at <= func.now()]
    subjects = look.claim(runtime, account_id, due, lease_column="track_at")
    ends = time.monotonic() + TURN
    for one, remote in look.read(runtime, account_id, subjects, ends=ends):
        apply(runtime, one, remote)


def apply(runtime: Runtime, one: look.Subject, remote: RemotePost | None) -> None:
    """Write down what was seen of a scheduled post."""
    settings = runtime.settings
    with runtime.database.transaction() as session:
        now = pace.clock(session)
    if one.state is PostState.FAILED:
        _follow_failed(runtime, one, remote, now)
        return
    step = track_step(
        remote.state if remote else None,
        now=now,
        due_at=max(one.publish_at, one.released_at),
        error_at=one.error_at,
        error_final=timedelta(seconds=settings.error_final_seconds),
        give_up_after=timedelta(seconds=settings.outcome_unknown_seconds),
    )
    reason = _reason(runtime, one, step)
    failpoints.hit("track.before_commit")
    try:
        with runtime.database.transaction() as session:
            _write(session, one, remote, step, reason)
    except ClaimLost:
        return  # somebody else has looked in the meantime
    failpoints.hit("track.after_commit")


def _reason(
    runtime: Runtime, one: look.Subject, step: Published | Failed | Errored | LookAgain
) -> Reason | None:
    """Postiz's words, where it said ERROR; read once at first sight and once at the end."""
    match step:
        case Failed(code=code) if code in VANISHED:
            return VANISHED[code]
        case Failed() | Errored():
            pass
        case _:
            return None
    if isinstance(step, Errored) and one.error_at is not None:
        return None
    try:
        rows = calling.call(
            runtime,
            one.profile_id,
            one.version,
            one.account_id,
            lambda postiz: postiz.notifications(),
        )
    except PressroomError:
        rows = []  # the reason is worth a look, not the post's end
    return find_reason(
        [Notice(content=row.content, created_at=row.created_at) for row in rows],
        identifier=one.integration_identifier,
        name=one.integration_name,
        since=one.released_at - timedelta(minutes=1),
    )


def _write(
    session: Session,
    one: look.Subject,
    remote: RemotePost | None,
    step: Published | Failed | Errored | LookAgain,
    reason: Reason | None,
) -> None:
    match step:
        case Published():
            _published(session, one, remote.release_url if remote else None)
        case Failed():
            assert reason is not None  # `_reason` gives one for each failure
            posts.fail(
                session,
                [one.post_id],
                PostState.SCHEDULED,
                code=reason.code,
                message=reason.message,
                hint=reason.hint,
                claim=one.claim,
                track_at=accounts.now_plus(FAILED_PAUSE.total_seconds()),
            )
        case Errored(after=pause):
            _errored(session, one, pause, reason)
        case LookAgain(after=pause):
            values: dict[str, object] = {"track_at": func.now() + pause}
            if one.error_code is None and _late(session, one) >= OVERDUE:
                values |= _overdue(session, one)
            _again(session, one, values)
    if remote is not None and remote.publish_at != one.markers[0]:
        moved = update(Handover).where(Handover.id == one.handover_id)
        session.execute(moved.values(marker_at=remote.publish_at))


def _late(session: Session, one: look.Subject) -> timedelta:
    return pace.clock(session) - max(one.publish_at, one.released_at)


def _overdue(session: Session, one: look.Subject) -> dict[str, object]:
    """Still queued in Postiz: it may have been published, or may be yet."""
    posts.add_events(session, [one.post_id], "overdue_in_postiz")
    return {
        "error_code": "overdue_in_postiz",
        "error_message": "Postiz has it in its queue, but its time is over.",
        "error_hint": "Look at the channel, and at Postiz's workers; it is never sent again.",
    }


def _follow_failed(
    runtime: Runtime, one: look.Subject, remote: RemotePost | None, now: datetime
) -> None:
    """A failed post may turn out to be published; nothing else changes it here."""
    recent = one.error_at is not None and now - one.error_at < FOLLOW_FAILED
    try:
        with runtime.database.transaction() as session:
            if remote is not None and remote.state == PUBLISHED:
                _published(session, one, remote.release_url)
            else:
                _again(session, one, {"track_at": now + FAILED_PAUSE if recent else None})
    except ClaimLost:
        return  # a person has it tried again


def _published(session: Session, one: look.Subject, url: str | None) -> None:
    posts.move(
        session,
        [one.post_id],
        one.state,
        PostState.PUBLISHED,
        event="published",
        detail=url,
        claim=one.claim,
        values={
            "release_url": url,
            "track_at": None,
            "published_at": func.now(),
            "error_code": None,
            "error_message": None,
            "error_hint": None,
        },
    )


def _errored(session: Session, one: look.Subject, pause: timedelta, reason: Reason | None) -> None:
    """Shown at once; final only after a quiet time, for Postiz tries some failures again."""
    values: dict[str, object] = {"track_at": func.now() + pause}
    if reason is not None:
        values |= {
            "error_at": func.now(),
            "error_code": reason.code,
            "error_message": reason.message,
            "error_hint": reason.hint,
        }
        posts.add_events(session, [one.post_id], "error_in_postiz", reason.message)
    _again(session, one, values)


def _again(session: Session, one: look.Subject, values: dict[str, object]) -> None:
    """Raises `ClaimLost` where somebody looks at it too, or has taken it back meanwhile."""
    ours = Post.id == one.post_id, Post.claim == one.claim, Post.state == one.state
    kept = session.scalar(update(Post).where(*ours).values(values).returning(Post.id))
    if kept is None:
        raise ClaimLost(f"post {one.post_id} is no longer {one.state} and ours to follow")
