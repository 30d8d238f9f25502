"""Release: have Postiz publish the drafts that are due, each by one status change, ever."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from shared import failpoints, metrics
from shared.containment import contain_failures
from shared.db import after_commit
from shared.domain.publishing.fairness import DueProfile, is_backlog_turn
from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost, OutcomeUnknown, Paused, PostRejected, PressroomError
from shared.models import Handover, Post, Profile, Submission
from shared.posts import handovers, transitions
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import defects, health_probe, leases, postiz_call, rate_limiter, server_turns
from worker.accounts.eligibility import is_paused, may_go, near_its_time
from worker.accounts.set_aside import set_aside_for_jobs
from worker.runtime import Runtime
from worker.staging.settle_time import has_few_recent_elements

#: In one turn, of so many jobs.
JOBS_SET_ASIDE = 3
#: Of posts that Postiz's calendar holds those go first that are due so soon.
NEAR = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Release:
    """One status change that may be made at once."""

    post_id: int
    handover_id: int
    postiz_id: str
    claim: int
    credentials: CredentialRef


class ReleaseOutcome(Enum):
    TAKEN = auto()  # a post was released, or tried to be
    PASSED = auto()  # there was none after all, or the account may have no child now
    SERVER_BUSY = auto()  # no write may be made there at this moment


def release_next_post(runtime: Runtime, due: DueProfile) -> ReleaseOutcome:
    """Release the next post of `due`, or find that there is none, or that its server is busy."""
    if not due.sound and not health_probe.confirm_healthy(runtime, due.account_id):
        return ReleaseOutcome.PASSED
    claimed = _claim_next_post(runtime, due)
    if isinstance(claimed, Release):
        _send_release(runtime, claimed)
        return ReleaseOutcome.TAKEN
    return claimed


def _claim_next_post(runtime: Runtime, due: DueProfile) -> Release | ReleaseOutcome:
    """The profile's next post, in a free moment of its server, committed as `releasing`."""
    post_id = None
    with (
        contain_failures("release", profile=due.profile_id) as fate,
        runtime.database.transaction() as session,
    ):
        found = _find_next_post(session, due, runtime.taken[due.profile_id])
        if found is None:
            return ReleaseOutcome.PASSED
        post_id = found[0].id
        return _claim_found_post(runtime, session, due, found)
    with runtime.database.transaction() as session:
        if post_id is None:
            leases.rest_account(session, due.account_id)
        elif fate.error is not None:
            defects.blame_post(session, post_id, defects.describe_error(fate.error))
    return ReleaseOutcome.PASSED


def _claim_found_post(
    runtime: Runtime, session: Session, due: DueProfile, found: tuple[Post, Profile, datetime]
) -> Release | ReleaseOutcome:
    settings = runtime.settings
    post, profile, replied_at = found
    settled_at = replied_at + timedelta(seconds=settings.settle_seconds)
    if settled_at > rate_limiter.clock(session) and not has_few_recent_elements(
        session, due.server, settings.settle_seconds
    ):
        post.release_at = settled_at
        return ReleaseOutcome.PASSED
    pace = settings.writes_per_second
    if not rate_limiter.take_slot(runtime.database, due.server, per_second=pace, ahead=0.0):
        return ReleaseOutcome.SERVER_BUSY
    runtime.taken[due.profile_id] += 1
    return _record_release(session, post, profile, settings.lease_seconds)


def _find_next_post(
    session: Session, due: DueProfile, turn: int
) -> tuple[Post, Profile, datetime] | None:
    """The profile's next post, locked, and when its draft was acknowledged."""
    near_post = (
        None if is_backlog_turn(turn) else _find_first_post(session, due, near_its_time(NEAR))
    )
    return near_post or _find_first_post(session, due)


def _find_first_post(
    session: Session, due: DueProfile, *conditions: ColumnElement[bool]
) -> tuple[Post, Profile, datetime] | None:
    """What is met of a paused job is set aside, with all of it; more of that in the next turn."""
    for _ in range(JOBS_SET_ASIDE):
        found = session.execute(_first_due_query(due, *conditions)).first()
        if found is None:
            return None
        post, profile, replied_at, paused, may = found
        if not paused:
            return (post, profile, replied_at) if may else None
        set_aside_for_jobs(session, [post.job_id])
    return None


def _first_due_query(
    due: DueProfile, *conditions: ColumnElement[bool]
) -> Select[Post, Profile, datetime, bool, bool]:
    return (
        select(
            Post,
            Profile,
            func.coalesce(Submission.replied_at, func.now()),
            is_paused(),
            may_go(),
        )
        .join(Profile, Profile.id == Post.profile_id)
        .join(Submission, Submission.id == Post.submission_id)
        .where(*server_turns.could_be_released(), Post.account_id == due.account_id)
        .where(Post.profile_id == due.profile_id, *conditions)
        .order_by(Post.release_at, Post.id)
        .limit(1)
        .with_for_update(of=Post, skip_locked=True)
    )


def _record_release(session: Session, post: Post, profile: Profile, lease: float) -> Release:
    claim = leases.new_claim()
    handover = session.execute(
        update(Handover)
        .where(
            Handover.post_id == post.id,
            handovers.is_alive(),
            Handover.released_at.is_(None),  # once per id, ever
        )
        .values(released_at=func.clock_timestamp(), state="releasing")
        .returning(Handover.id, Handover.postiz_id, Handover.released_at)
    ).one()
    moments = {"accepted_at": post.created_at, "released_at": handover.released_at}
    after_commit(session, partial(metrics.observe_lateness, post.publish_at, **moments))
    transitions.move_posts(
        session,
        [post.id],
        PostState.STAGED,
        PostState.RELEASING,
        event="releasing",
        values={
            "claim": claim,
            "lease_until": func.now() + timedelta(seconds=lease),
            "attempts": Post.attempts + 1,
            "released_at": func.clock_timestamp(),
        },
    )
    return Release(
        post_id=post.id,
        handover_id=handover.id,
        postiz_id=handover.postiz_id,
        claim=claim,
        credentials=CredentialRef.from_profile(profile, post.account_id),
    )


def _send_release(runtime: Runtime, release: Release) -> None:
    credentials = release.credentials
    with bound_contextvars(
        account=credentials.account_id, profile=credentials.profile_id, post=release.post_id
    ):
        _send_status_change(runtime, release)


def _send_status_change(runtime: Runtime, release: Release) -> None:
    failpoints.hit("release.before_call")
    try:
        postiz_call.make_call(
            runtime,
            release.credentials,
            lambda postiz: postiz.release(
                release.postiz_id, check=lambda: _check_before_send(runtime, release)
            ),
        )
    except ClaimLost:
        pass  # frozen beyond the lease: whoever settles it now must not be disturbed
    except (OutcomeUnknown, PostRejected) as error:
        failpoints.hit("release.after_unclear")
        _record_unclear_release(runtime, release, error)
    except PressroomError as error:
        failpoints.hit("release.after_error")
        _undo_unsent_release(runtime, release, error)
    else:
        failpoints.hit("release.after_call")
        with runtime.database.transaction() as session:
            leases.record_answer(session, release.credentials.account_id)
            _record_reply(session, release, 200)
        failpoints.hit("release.after_commit")


def _check_before_send(runtime: Runtime, release: Release) -> None:
    """The last question before the first byte: is the claim ours, and may the post go?"""
    with runtime.database.transaction() as session:
        claimed_query = select(may_go()).where(
            Post.id == release.post_id,
            Post.claim == release.claim,
            Post.state == PostState.RELEASING,
            Post.lease_until > func.clock_timestamp(),
        )
        may = session.scalar(claimed_query)
    if may is None:
        raise ClaimLost(f"post {release.post_id} is no longer ours to release")
    if not may:
        raise Paused("held back before it was released")


def _record_reply(session: Session, release: Release, status: int) -> None:
    """The reply is noted; what it is worth is read by `settle`, which may look at once."""
    session.execute(
        update(Handover).where(Handover.id == release.handover_id).values(release_status=status)
    )
    session.execute(
        update(Post)
        .where(Post.id == release.post_id, Post.claim == release.claim)
        .values(lease_until=func.now())
    )


def _record_unclear_release(runtime: Runtime, release: Release, error: PressroomError) -> None:
    """It may have been scheduled, or Postiz does not know the post: only a look can tell."""
    with runtime.database.transaction() as session:
        leases.record_failure(session, release.credentials, error)
        transitions.add_events(session, [release.post_id], "release_unknown", error.message)
        _record_reply(session, release, 0)


def _undo_unsent_release(runtime: Runtime, release: Release, error: PressroomError) -> None:
    """The status change certainly never left: the draft is as it was, and may be released later."""
    with runtime.database.transaction() as session:
        leases.record_failure(session, release.credentials, error)
        session.execute(
            update(Handover)
            .where(Handover.id == release.handover_id)
            .values(released_at=None, state="staged")
        )
        transitions.move_posts(
            session,
            [release.post_id],
            PostState.RELEASING,
            PostState.STAGED,
            event="release_delayed",
            detail=error.message,
            claim=release.claim,
            values={"attempts": Post.attempts - 1, "released_at": None},
        )
