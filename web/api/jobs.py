"""Jobs: what accepted requests have come to, in two shapes."""

from collections.abc import Iterator, Sequence
from typing import NoReturn

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.domain.publishing.states import JobState, PostState
from shared.errors import Conflict, NotConfigured, NotFound
from shared.jobs import etas, progress
from shared.jobs.progress import Outcome
from shared.media.repository import is_id
from shared.models import AccountMedia, Job, JobMedia, Post
from shared.posts import bulk_cancel_retry, cancel_retry, post_queries
from shared.posts.bulk_cancel_retry import Refused
from shared.posts.post_queries import Wanted
from web.api import control
from web.api.resource import problems, resource
from web.auth import caller, profiles_in_sight
from web.schemas.common import IdPath, Page
from web.schemas.jobs import JobPostsQuery, JobsQuery, JobView, PostView, ProgressView, RetryRequest
from web.serializers.rows import job_view, location, post_list, shown_job
from web.services import services
from web.wire.idempotency import Reply
from web.wire.optional_body import body_or, optional_body
from web.wire.pagination import next_cursor, number_of

api = resource("jobs", "Accepted requests", write="publish")

_STATUS = {
    JobState.QUEUED: "in_progress",
    JobState.RUNNING: "in_progress",
    JobState.PAUSED: "in_progress",
    JobState.COMPLETED: "completed",
    JobState.COMPLETED_WITH_ERRORS: "completed_with_errors",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "failed",
}
#: What is going on, by the earliest state that any of the posts or uploads is in.
_STEPS = {
    "uploading": "uploading media",
    "pending": "waiting",
    "staging": "handing posts to Postiz",
    "staged": "waiting for their time",
    "releasing": "releasing posts",
    "cancelling": "cancelling",
    "scheduled": "waiting for Postiz",
    "held": "waiting for a person",
}


@api.get("/jobs", responses={200: Page[JobView]})
def list_jobs(query: JobsQuery) -> Response:
    """List jobs, the newest first"""
    with services().database.transaction() as session:
        wanted = progress.Wanted(
            profile_ids=profiles_in_sight(session), kind=query.kind, state=query.state
        )
        before = number_of(query.cursor)
        rows = progress.newest(session, wanted, before=before, limit=query.limit)
        rows = etas.with_etas(session, rows, services().settings)
    onward = next_cursor(rows, query.limit, lambda row: row.job.id)
    page = Page[JobView](items=[job_view(row) for row in rows], next_cursor=onward)
    return Reply(body=page).response()


@api.get("/jobs/<id>", responses={200: JobView})
def get_job(path: IdPath) -> Response:
    """Read a job"""
    with services().database.transaction() as session:
        shown = shown_job(session, visible_job(session, path.id))
    return Reply(body=shown).response()


@api.get("/jobs/<id>/posts", responses={200: Page[PostView]})
def list_job_posts(path: IdPath, query: JobPostsQuery) -> Response:
    """List a job's posts, in the order of the request"""
    with services().database.transaction() as session:
        job = visible_job(session, path.id)
        wanted = Wanted(profile_ids=None, job_id=job.id, state=query.state)
        after = number_of(query.cursor)
        rows = post_queries.listed(session, wanted, after=after, limit=query.limit)
        shown = post_list(session, rows)
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    return Reply(body=Page[PostView](items=shown, next_cursor=onward)).response()


@api.post("/jobs/<id>/pause", responses={202: JobView, **problems(409)})
def pause_job(path: IdPath) -> Response:
    """Hold back what the job has not handed to Postiz yet"""
    return _set_paused(path.id, paused=True)


@api.post("/jobs/<id>/resume", responses={202: JobView, **problems(409)})
def resume_job(path: IdPath) -> Response:
    """Go on after a pause"""
    return _set_paused(path.id, paused=False)


@api.post("/jobs/<id>/cancel", responses={202: JobView, **problems(409)})
def cancel_job(path: IdPath) -> Response:
    """Take back what has not been released yet; what Postiz holds is deleted there"""
    job = _seen(path.id)
    changed = bulk_cancel_retry.cancel(services().database, Wanted(profile_ids=None, job_id=job.id))
    with services().database.transaction() as session:
        counts = progress.outcome(session, job).counts
    if not changed.posts and not {"cancelled", "cancelling"} & set(counts):
        raise Conflict("The job has nothing left that could be taken back")
    control.wake(changed)
    return _answer(job.id)


@api.post(
    "/jobs/<id>/retry",
    responses={202: JobView, **problems(409)},
    openapi_extensions=optional_body(RetryRequest),
)
def retry_job(path: IdPath) -> Response:
    """Try the failed posts again; what may be live only on your word that it is not"""
    confirmed = body_or(RetryRequest).confirm_not_published
    job = _seen(path.id)
    if job.kind in progress.UPLOADS:
        return _retry_uploads(job)
    wanted = Wanted(profile_ids=None, job_id=job.id)
    changed = bulk_cancel_retry.retry(services().database, wanted, confirmed=confirmed)
    if not changed.posts:
        _say_why_not(changed.refused)
    control.wake(changed)
    return _answer(job.id)


def _say_why_not(refused: Sequence[Refused]) -> NoReturn:
    """Nothing of the job was tried again."""
    for why in refused:
        if why.code == NotConfigured.code:
            raise NotConfigured(why.message)
        raise Conflict(why.message, code=why.code)
    raise Conflict("The job has no failed posts")


def _retry_uploads(job: Job) -> Response:
    with services().database.transaction() as session:
        waiting = cancel_retry.retry_uploads(session, job)
    services().waker.uploads(waiting)
    return _answer(job.id)


def _set_paused(job_id: str, *, paused: bool) -> Response:
    with services().database.transaction() as session:
        job = visible_job(session, job_id)
        progress.set_paused(session, job, paused=paused)
        used = select(Post.account_id).where(Post.job_id == job.id).distinct()
        accounts = session.scalars(used).all()
    for account_id in accounts:
        services().waker.look(account_id)
    return _answer(job.id)


def _answer(job_id: int) -> Response:
    with services().database.transaction() as session:
        job = session.get_one(Job, job_id)
        shown = shown_job(session, job)
    return Reply(body=shown, status=202, headers=location(job)).response()


def _seen(job_id: str) -> Job:
    with services().database.transaction() as session:
        return visible_job(session, job_id)


def visible_job(session: Session, job_id: str) -> Job:
    job = session.get(Job, int(job_id)) if is_id(job_id) else None
    if job is None or not caller().sees(job.profile_id):
        raise NotFound(f"There is no job {job_id!r}")
    return job


@api.get("/postiz/publish/<id>/progress", responses={200: ProgressView, 404: ProgressView})
def get_progress(path: IdPath) -> Response:
    """A job's progress, for pollers: `not_found` with 404 where there is none"""
    try:
        with services().database.transaction() as session:
            found = progress.outcome(session, visible_job(session, path.id))
            detail = "; ".join(_reasons(session, found)) or None
    except NotFound as error:
        nothing = ProgressView(
            step="not_found",
            percentage=0,
            status="not_found",
            updated_at=None,
            error_detail=error.message,
        )
        return Reply(body=nothing, status=404).response()
    return Reply(body=_progress(found, detail)).response()


def _progress(found: Outcome, detail: str | None) -> ProgressView:
    return ProgressView(
        step=_step(found),
        percentage=found.percentage,
        status=_STATUS[found.state],
        updated_at=found.touched_at,
        error_detail=detail,
    )


def _step(found: Outcome) -> str:
    if found.state is JobState.PAUSED:
        return "paused"
    if found.finished_at is not None:
        return str(found.state)
    return next((step for state, step in _STEPS.items() if found.counts.get(state)), "working")


def _reasons(session: Session, found: Outcome) -> Iterator[str]:
    """Why parts of the job failed, or are late: each reason once, the first few."""
    if found.state is JobState.CANCELLED:
        yield "The job was cancelled"
    told = (PostState.FAILED, PostState.SCHEDULED, PostState.HELD)
    of_posts = select(Post.error_message).where(Post.job_id == found.job.id, Post.state.in_(told))
    of_uploads = (
        select(AccountMedia.error_message)
        .join(JobMedia, JobMedia.account_media_id == AccountMedia.id)
        .where(JobMedia.job_id == found.job.id, AccountMedia.state == "failed")
    )
    for query in (of_posts, of_uploads):
        yield from (reason for reason in session.scalars(query.distinct().limit(5)) if reason)
