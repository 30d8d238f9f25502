"""Release: lets Postiz publish due drafts, with exactly one status change per draft."""

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

#: Maximum paused jobs whose posts are set aside in one search.
JOBS_SET_ASIDE = 3
#: Posts for Postiz's calendar that are due this soon go first.
NEAR = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Release:
    """A status change that is recorded and may be sent."""

    post_id: int
    handover_id: int
    postiz_id: str
    claim: int
    credentials: CredentialRef


class ReleaseOutcome(Enum):
    ATTEMPTED = auto()  # a release was sent or attempted
    NOTHING_DONE = auto()  # no post, or the bulkhead refused
    SERVER_BUSY = auto()  # the server allows no write now


def release_next_post(runtime: Runtime, due: DueProfile) -> ReleaseOutcome:
    """Release the next post of `due`, if there is one and its server allows a write."""
    if not due.sound and not health_probe.confirm_healthy(runtime, due.account_id):
        return ReleaseOutcome.NOTHING_DONE
    claimed = _claim_next_post(runtime, due)
    if isinstance(claimed, Release):
        _send_release(runtime, claimed)
        return ReleaseOutcome.ATTEMPTED
    return claimed


def _claim_next_post(runtime: Runtime, due: DueProfile) -> Release | ReleaseOutcome:
    """Claim the profile's next post and commit it as `releasing`; also takes a write slot."""
    post_id = None
    with (
        contain_failures("release", profile=due.profile_id) as fate,
        runtime.database.transaction() as session,
    ):
        found = _find_next_post(session, due, runtime.counts[due.profile_id])
        if found is None:
            return ReleaseOutcome.NOTHING_DONE
        post_id = found[0].id
        return _claim_found_post(runtime, session, due, found)
    with runtime.database.transaction() as session:
        if post_id is None:
            leases.rest_account(session, due.account_id)
        elif fate.error is not None:
            defects.blame_post(session, post_id, defects.describe_error(fate.error))
    return ReleaseOutcome.NOTHING_DONE


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
        return ReleaseOutcome.NOTHING_DONE
    pace = settings.writes_per_second
    if not rate_limiter.take_slot(runtime.database, due.server, per_second=pace, ahead=0.0):
        return ReleaseOutcome.SERVER_BUSY
    runtime.counts[due.profile_id] += 1
    return _record_release(session, post, profile, settings.lease_seconds)


def _find_next_post(
    session: Session, due: DueProfile, release_count: int
) -> tuple[Post, Profile, datetime] | None:
    """The profile's next post, locked, its profile, and when Postiz confirmed the draft."""
    near_post = (
        None
        if is_backlog_turn(release_count)
        else _find_first_post(session, due, near_its_time(NEAR))
    )
    return near_post or _find_first_post(session, due)


def _find_first_post(
    session: Session, due: DueProfile, *conditions: ColumnElement[bool]
) -> tuple[Post, Profile, datetime] | None:
    """The first due post. Posts of paused jobs are set aside, of a few jobs per call."""
    for _ in range(JOBS_SET_ASIDE):
        found = session.execute(_first_due_query(due, *conditions)).first()
        if found is None:
            return None
        post, profile, replied_at, paused, may_publish = found
        if not paused:
            return (post, profile, replied_at) if may_publish else None
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
            Handover.released_at.is_(None),  # only once per id
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
        pass  # our lease ended: another worker reconciles the post now
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
    """The last check before the first byte: is the claim ours, and may the post be published?"""
    with runtime.database.transaction() as session:
        claimed_query = select(may_go()).where(
            Post.id == release.post_id,
            Post.claim == release.claim,
            Post.state == PostState.RELEASING,
            Post.lease_until > func.clock_timestamp(),
        )
        may_publish = session.scalar(claimed_query)
    if may_publish is None:
        raise ClaimLost(f"post {release.post_id} is no longer ours to release")
    if not may_publish:
        raise Paused("held back before it was released")


def _record_reply(session: Session, release: Release, status: int) -> None:
    """Record the reply; reconcile.py reads the outcome, and may do so at once."""
    session.execute(
        update(Handover).where(Handover.id == release.handover_id).values(release_status=status)
    )
    session.execute(
        update(Post)
        .where(Post.id == release.post_id, Post.claim == release.claim)
        .values(lease_until=func.now())
    )


def _record_unclear_release(runtime: Runtime, release: Release, error: PressroomError) -> None:
    """The post may be scheduled, or unknown to Postiz: only reading it shows the outcome."""
    with runtime.database.transaction() as session:
        leases.record_failure(session, release.credentials, error)
        transitions.add_events(session, [release.post_id], "release_unknown", error.message)
        _record_reply(session, release, 0)


def _undo_unsent_release(runtime: Runtime, release: Release, error: PressroomError) -> None:
    """The status change was certainly not sent: the draft is unchanged and is released later."""
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
