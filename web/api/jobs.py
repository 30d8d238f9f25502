"""Jobs: the progress of accepted requests, in two forms."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import NoReturn

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.access.visible_profiles import load_visible
from shared.domain.publishing.states import JobState, PostState
from shared.errors import Conflict, NotConfigured, NotFound
from shared.jobs import etas, progress
from shared.jobs.progress import Outcome
from shared.models import AccountMedia, Job, JobMedia, Post
from shared.posts import bulk_cancel_retry, cancel_retry, failure_causes, post_queries
from shared.posts.bulk_cancel_retry import Refused
from shared.posts.post_queries import PostFilter
from web.api import control
from web.api.resource import (
    create_blueprint,
    may_pass_approval,
    problem_responses,
    refuse_past_approval,
)
from web.auth import current_caller, requested_profiles
from web.http_layer.idempotency import Reply
from web.http_layer.optional_body import body_or_defaults, optional_body
from web.http_layer.pagination import decode_number, next_cursor
from web.schemas.common import IdPath, Page
from web.schemas.jobs import (
    CauseView,
    FailuresView,
    JobPostsQuery,
    JobsQuery,
    JobView,
    PostView,
    ProgressView,
    RetryRequest,
)
from web.serializers.rows import job_view, location_header, post_list, read_job_view
from web.services import current_services

api = create_blueprint("jobs", "Accepted requests", write="publish")

_STATUS = {
    JobState.QUEUED: "in_progress",
    JobState.RUNNING: "in_progress",
    JobState.PAUSED: "in_progress",
    JobState.COMPLETED: "completed",
    JobState.COMPLETED_WITH_ERRORS: "completed_with_errors",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "failed",
}
#: The current step, by the earliest state of any of the posts or uploads.
_STEPS = {
    "uploading": "uploading media",
    "pending": "waiting",
    "waiting_approval": "waiting for approval",
    "staging": "handing posts to Postiz",
    "staged": "waiting for their time",
    "releasing": "releasing posts",
    "cancelling": "cancelling",
    "rescheduling": "taking posts out of Postiz's calendar",
    "scheduled": "waiting for Postiz",
    "held": "waiting for a person",
}


@api.get("/jobs", responses={200: Page[JobView]})
def list_jobs(query: JobsQuery) -> Response:
    """List jobs, the newest first"""
    with current_services().database.transaction() as session:
        kinds = (query.kind,) if query.kind else ()
        wanted = progress.JobFilter(
            visible=requested_profiles(session), kinds=kinds, state=query.state
        )
        before = decode_number(query.cursor)
        rows = progress.list_newest_jobs(session, wanted, before=before, limit=query.limit)
        rows = etas.with_etas(session, rows, current_services().settings)
    onward = next_cursor(rows, query.limit, lambda row: row.job.id)
    page = Page[JobView](items=[job_view(row) for row in rows], next_cursor=onward)
    return Reply(body=page).response()


@api.get("/jobs/<id>", responses={200: JobView})
def get_job(path: IdPath) -> Response:
    """Read a job"""
    with current_services().database.transaction() as session:
        shown = read_job_view(session, require_visible_job(session, path.id))
    return Reply(body=shown).response()


@api.get("/jobs/<id>/posts", responses={200: Page[PostView]})
def list_job_posts(path: IdPath, query: JobPostsQuery) -> Response:
    """List a job's posts, in the order of the request"""
    with current_services().database.transaction() as session:
        job = require_visible_job(session, path.id)
        wanted = PostFilter(visible=current_caller().visible, job_id=job.id, state=query.state)
        after = decode_number(query.cursor)
        rows = post_queries.read_posts(session, wanted, after=after, limit=query.limit)
        shown = post_list(session, rows)
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    return Reply(body=Page[PostView](items=shown, next_cursor=onward)).response()


@api.get("/jobs/<id>/failures", responses={200: FailuresView})
def list_failures(path: IdPath) -> Response:
    """Why parts of the job failed, grouped by cause, the most frequent first"""
    visible = current_caller().visible
    with current_services().database.transaction() as session:
        job = require_visible_job(session, path.id)
        causes = failure_causes.list_causes(session, job, visible)
    items = [CauseView(**{**asdict(cause), "example": str(cause.example)}) for cause in causes]
    return Reply(body=FailuresView(items=items)).response()


@api.post("/jobs/<id>/pause", responses={202: JobView, **problem_responses(409)})
def pause_job(path: IdPath) -> Response:
    """Hold back what the job has not handed to Postiz yet"""
    return _set_paused(path.id, paused=True)


@api.post("/jobs/<id>/resume", responses={202: JobView, **problem_responses(409)})
def resume_job(path: IdPath) -> Response:
    """Go on after a pause"""
    return _set_paused(path.id, paused=False)


@api.post("/jobs/<id>/cancel", responses={202: JobView, **problem_responses(409)})
def cancel_job(path: IdPath) -> Response:
    """Take back what has not been released yet; what Postiz holds is deleted there"""
    job = _load_visible_job(path.id)
    wanted = PostFilter(visible=current_caller().visible, job_id=job.id)
    changed = bulk_cancel_retry.cancel_matching_posts(current_services().database, wanted)
    with current_services().database.transaction() as session:
        counts = progress.read_outcome(session, job).counts
    if not changed.posts and not {"cancelled", "cancelling"} & set(counts):
        raise Conflict("The job has nothing left that can be cancelled")
    control.wake_accounts(changed.account_ids)
    return _job_response(job.id)


@api.post(
    "/jobs/<id>/retry",
    responses={202: JobView, **problem_responses(409)},
    openapi_extensions=optional_body(RetryRequest),
)
def retry_job(path: IdPath) -> Response:
    """Try the failed posts again; what may be live only on your word that it is not"""
    confirmed = body_or_defaults(RetryRequest).confirm_not_published
    job = _load_visible_job(path.id)
    if job.kind in progress.UPLOADS:
        return _retry_uploads(job)
    wanted = PostFilter(visible=current_caller().visible, job_id=job.id)
    changed = bulk_cancel_retry.retry_matching_posts(
        current_services().database,
        wanted,
        confirmed=confirmed,
        past_approval=may_pass_approval(),
    )
    if not changed.posts:
        _raise_refusal(changed.refused)
    control.wake_accounts(changed.account_ids)
    return _job_response(job.id)


def _raise_refusal(refused: Sequence[Refused]) -> NoReturn:
    """No post of the job was retried: raise the reason."""
    for refusal in refused:
        if refusal.code == NotConfigured.code:
            raise NotConfigured(refusal.message)
        raise Conflict(refusal.message, code=refusal.code)
    raise Conflict("The job has no failed posts")


def _retry_uploads(job: Job) -> Response:
    with current_services().database.transaction() as session:
        waiting = cancel_retry.retry_uploads(session, job)
    current_services().waker.uploads(waiting)
    return _job_response(job.id)


def _set_paused(job_id: str, *, paused: bool) -> Response:
    with current_services().database.transaction() as session:
        job = require_visible_job(session, job_id)
        if not paused and not may_pass_approval():
            _require_all_for_approval(session, job)
        progress.set_paused(session, job, paused=paused)
        own = Post.job_id == job.id, current_caller().visible.condition(Post)
        account_ids = session.scalars(select(Post.account_id).where(*own).distinct()).all()
    for account_id in account_ids:
        current_services().waker.look(account_id)
    return _job_response(job.id)


def _require_all_for_approval(session: Session, job: Job) -> None:
    """Raises `Forbidden` for a job with posts that would go out without anybody's approval."""
    visible = current_caller().visible.condition(Post)
    past = Post.job_id == job.id, ~Post.requires_approval, visible
    if session.scalar(select(Post.id).where(*past).limit(1)) is not None:
        refuse_past_approval()


def _job_response(job_id: int) -> Response:
    with current_services().database.transaction() as session:
        job = require_visible_job(session, str(job_id))
        shown = read_job_view(session, job)
    return Reply(body=shown, status=202, headers=location_header(job)).response()


def _load_visible_job(job_id: str) -> Job:
    with current_services().database.transaction() as session:
        return require_visible_job(session, job_id)


def require_visible_job(session: Session, job_id: str) -> Job:
    return load_visible(session, Job, job_id, current_caller().visible)


@api.get("/postiz/publish/<id>/progress", responses={200: ProgressView, 404: ProgressView})
def get_progress(path: IdPath) -> Response:
    """A job's progress, for pollers: `not_found` with 404 where there is none"""
    try:
        with current_services().database.transaction() as session:
            outcome = progress.read_outcome(session, require_visible_job(session, path.id))
            detail = "; ".join(_error_details(session, outcome)) or None
    except NotFound as error:
        nothing = ProgressView(
            step="not_found",
            percentage=0,
            status="not_found",
            updated_at=None,
            error_detail=error.message,
        )
        return Reply(body=nothing, status=404).response()
    return Reply(body=_progress_view(outcome, detail)).response()


def _progress_view(outcome: Outcome, detail: str | None) -> ProgressView:
    return ProgressView(
        step=_progress_step(outcome),
        percentage=outcome.percentage,
        status=_STATUS[outcome.state],
        updated_at=outcome.touched_at,
        error_detail=detail,
    )


def _progress_step(outcome: Outcome) -> str:
    if outcome.state is JobState.PAUSED:
        return "paused"
    if outcome.finished_at is not None:
        return str(outcome.state)
    return next((step for state, step in _STEPS.items() if outcome.counts.get(state)), "working")


def _error_details(session: Session, outcome: Outcome) -> Iterator[str]:
    """Why parts of the job failed, or are late: the first few reasons, each once."""
    if outcome.state is JobState.CANCELLED:
        yield "The job was cancelled"
    visible = current_caller().visible
    states = (PostState.FAILED, PostState.SCHEDULED, PostState.HELD)
    of_posts = select(Post.error_message).where(
        Post.job_id == outcome.job.id, Post.state.in_(states), visible.condition(Post)
    )
    of_uploads = (
        select(AccountMedia.error_message)
        .join(JobMedia, JobMedia.account_media_id == AccountMedia.id)
        .where(
            JobMedia.job_id == outcome.job.id,
            AccountMedia.state == "failed",
            visible.condition(AccountMedia),
        )
    )
    for query in (of_posts, of_uploads):
        yield from (reason for reason in session.scalars(query.distinct().limit(5)) if reason)
