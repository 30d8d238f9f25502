"""Rows as replies show them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from shared.accounts import holds, server_health
from shared.accounts.holds import HeldProfile
from shared.domain.publishing.states import PostState
from shared.intake.post_edits import current_values
from shared.intake.validation import Checked
from shared.jobs import etas, progress
from shared.jobs.progress import Outcome
from shared.media.repository import sha256_of
from shared.models import Event, Job, Media, Post
from shared.posts import cancel_retry, post_queries
from web.paths import PREFIX
from web.schemas.jobs import EventView, IntegrationOfPost, JobView, PartView, PostError, PostView
from web.schemas.uploads import MediaView
from web.services import current_services

#: The states that wait while their profile is held.
WAITS_WHILE_HELD = (
    PostState.PENDING,
    PostState.STAGED,
    PostState.CANCELLING,
    PostState.RESCHEDULING,
)


def job_view(outcome: Outcome) -> JobView:
    job = outcome.job
    return JobView(
        id=str(job.id),
        kind=job.kind,
        profile_id=job.profile_id,
        state=outcome.state,
        counts=dict(outcome.counts),
        total=job.total,
        percentage=outcome.percentage,
        in_doubt=outcome.in_doubt,
        overdue=outcome.overdue,
        eta=outcome.eta,
        external_id=job.external_id,
        created_at=job.created_at,
        updated_at=outcome.touched_at,
        finished_at=outcome.finished_at,
    )


def new_job_view(session: Session, job: Job) -> JobView:
    """Of a job that this transaction has created."""
    session.refresh(job)
    return read_job_view(session, job)


def accepted_job_view(session: Session, job: Job, checked: Checked) -> JobView:
    """Of a job whose posts this transaction has just accepted: nothing of it is read again."""
    waits = PostState.WAITING_APPROVAL if checked.requires_approval else PostState.PENDING
    counts: dict[str, int] = {waits: job.total} if job.total else {}
    outcome = Outcome(job=job, counts=counts, touched_at=job.updated_at)
    settings, order = current_services().settings, checked.order
    ends_at = etas.find_eta(session, outcome, checked.account, order.now, settings)
    return job_view(replace(outcome, eta=ends_at))


def read_job_view(session: Session, job: Job) -> JobView:
    """With its current counts and expected end."""
    [outcome] = etas.with_etas(
        session, [progress.read_outcome(session, job)], current_services().settings
    )
    return job_view(outcome)


def location_header(job: Job) -> dict[str, str]:
    return {"Location": f"{PREFIX}/jobs/{job.id}"}


def media_view(media: Media, *, duplicate: bool) -> MediaView:
    return MediaView(
        id=str(media.id),
        sha256=sha256_of(media),
        size=media.size,
        mime=media.mime,
        width=media.width,
        height=media.height,
        duration=media.duration,
        codec=media.codec,
        brand=media.brand,
        duplicate=duplicate,
    )


def post_list(session: Session, posts: Sequence[Post]) -> list[PostView]:
    timelines = post_queries.read_timelines(session, posts)
    live = cancel_retry.find_possibly_live(session, [post.id for post in posts if post.error_code])
    held = _held_by_profile(session, posts)
    waiting = {post.account_id for post in posts if post.state == PostState.STAGED}
    stalled = server_health.find_stalled_accounts(session, waiting)
    return [
        _post_view(
            post,
            timelines[post.id],
            _post_error(
                post,
                held.get(post.profile_id),
                may_be_live=post.id in live,
                stalled=post.account_id in stalled,
            ),
        )
        for post in posts
    ]


def part_view(part: Mapping[str, Any]) -> PartView:
    """Of a part as it is stored."""
    names = [str(media_id) for media_id in part["media_ids"]]
    return PartView(content=part["content"], media_ids=names, delay_minutes=part["delay_minutes"])


def _held_by_profile(session: Session, posts: Sequence[Post]) -> dict[str, HeldProfile]:
    """Why the posts' profiles send nothing; the newest reason of each profile."""
    profile_ids = sorted({post.profile_id for post in posts})
    return {
        held_profile.profile_id: held_profile
        for held_profile in holds.list_held(session, profile_ids=profile_ids)
    }


def _post_view(post: Post, timeline: Sequence[Event], error: PostError | None) -> PostView:
    """With the values of an edit that waits, because they are what will be published."""
    values = current_values(post)
    return PostView(
        id=str(post.id),
        job_id=str(post.job_id),
        profile_id=post.profile_id,
        integration=IntegrationOfPost(
            id=post.integration_id,
            identifier=post.integration_identifier,
            name=post.integration_name,
        ),
        content=values.content,
        media_ids=[str(media_id) for media_id in values.media_ids],
        thread=[part_view(part) for part in values.thread],
        publish_at=values.publish_at,
        state=post.state,
        revision=post.revision,
        requires_approval=post.requires_approval,
        approved_revision=post.approved_revision,
        attempts=post.attempts + post.unclear_calls,
        error=error,
        postiz_post_id=post.postiz_post_id,
        release_url=post.release_url,
        external_id=post.external_id,
        timeline=[
            EventView(at=event.at, event=event.event, detail=event.detail) for event in timeline
        ],
    )


STALLED = PostError(
    code="postiz_stalled",
    message="Postiz takes posts and publishes none of them: it waits until one is published again",
    hint="GET /servers says more. Look whether the workers of Postiz (Temporal) are running.",
    may_be_live=False,
)


def _post_error(
    post: Post, held: HeldProfile | None, *, may_be_live: bool, stalled: bool
) -> PostError | None:
    """What went wrong, or why it waits."""
    code, message, hint = post.error_code, post.error_message or "", post.error_hint
    if code is None and stalled and post.state == PostState.STAGED:
        return STALLED
    if code is None and held is not None and post.state in WAITS_WHILE_HELD:
        code, message, hint = held.reason, held.message, held.hint
    if code is None:
        return None
    return PostError(code=code, message=message, hint=hint, may_be_live=may_be_live)
