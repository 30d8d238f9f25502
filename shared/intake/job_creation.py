"""Writes a checked request to the database: a job with its posts or uploads."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, literal, select
from sqlalchemy.orm import Session

from shared.domain.publishing.states import JobState, PostState
from shared.domain.rows.post_rows import PlannedPost
from shared.domain.webhook_retries import APPROVAL_REQUESTED
from shared.intake.bulk_insert import insert_rows
from shared.jobs import progress
from shared.media import upload_queue
from shared.models import Account, AccountMedia, Event, Job, JobMedia, Post
from shared.posts import transitions
from shared.posts.late_policy import LatePolicy
from shared.webhooks import outbox


@dataclass(frozen=True, kw_only=True)
class Upload:
    media_id: int
    external_id: str | None = None


def accept_uploads(
    session: Session, profile_id: str, account: Account, uploads: Sequence[Upload], *, kind: str
) -> tuple[Job, list[AccountMedia]]:
    """Create the job, and for each upload the row that a worker claims.

    If everything is uploaded already, the job is completed at once.
    """
    wanted = upload_queue.request_uploads(
        session, [upload.media_id for upload in uploads], profile_id, account.id
    )
    done = all(row.state == "uploaded" for row in wanted)
    job = Job(kind=kind, profile_id=profile_id, total=len(uploads))
    job.external_id = uploads[0].external_id if len(uploads) == 1 else None
    if done:
        job.state, job.finished_at = JobState.COMPLETED, func.now()
    session.add(job)
    session.flush()
    for position, (upload, row) in enumerate(zip(uploads, wanted, strict=True)):
        session.add(
            JobMedia(
                job_id=job.id,
                position=position,
                account_media_id=row.id,
                external_id=upload.external_id,
            )
        )
    session.flush()
    if done:
        outbox.enqueue_job_events(session, [progress.read_outcome(session, job)])
    return job, wanted


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The options of a job: how its posts are to be published."""

    kind: str
    handoff: str
    as_draft: bool
    external_id: str | None
    options: Mapping[str, Any]
    late_policy: str = LatePolicy.PUBLISH
    requires_approval: bool = False

    @property
    def first_state(self) -> PostState:
        return PostState.WAITING_APPROVAL if self.requires_approval else PostState.PENDING


def accept_posts(
    session: Session,
    profile_id: str,
    account: Account,
    posts: Sequence[PlannedPost],
    how: Accepted,
) -> Job:
    """Create the job with a post for each of `posts`, in order; request their uploads.

    Also of posts that wait for an approval, so that they are not late once they have it.
    """
    job = Job(
        kind=how.kind,
        profile_id=profile_id,
        handoff=how.handoff,
        external_id=how.external_id,
        total=len(posts),
        options=dict(how.options),
    )
    session.add(job)
    session.flush()
    same = {
        "job_id": job.id,
        "profile_id": profile_id,
        "account_id": account.id,
        "handoff": how.handoff,
        "as_draft": how.as_draft,
        "late_policy": how.late_policy,
        "requires_approval": how.requires_approval,
        "state": how.first_state,
    }
    insert_rows(session, Post, [_post_values(post) for post in posts], same=same)
    _write_accepted(session, job)
    if how.requires_approval:
        _request_approval(session, job)
    used = {media_id for post in posts for media_id in post.all_media_ids}
    upload_queue.request_uploads(session, sorted(used), profile_id, account.id)
    return job


def _post_values(post: PlannedPost) -> dict[str, Any]:
    return {
        "position": post.row.position,
        "integration_id": post.channel.id,
        "integration_identifier": post.channel.identifier,
        "integration_name": post.channel.name,
        "content": post.content,
        "media_ids": post.media_ids,
        "thread": post.thread_json,
        "settings": post.settings,
        "publish_at": post.row.publish_at,
        "external_id": post.row.external_id,
    }


def _write_accepted(session: Session, job: Job) -> None:
    source = select(Post.id, Post.job_id, literal("accepted")).where(Post.job_id == job.id)
    events = insert(Event).from_select(["post_id", "job_id", "event"], source.order_by(Post.id))
    session.execute(events)


def _request_approval(session: Session, job: Job) -> None:
    ids = session.scalars(select(Post.id).where(Post.job_id == job.id)).all()
    transitions.add_events(session, ids, transitions.APPROVAL_REQUESTED)
    outbox.enqueue_post_event(session, ids, APPROVAL_REQUESTED)


def waiting_uploads(session: Session, account: Account, media_ids: Collection[int]) -> list[int]:
    """The ids of the rows of `account_media` that wait for an upload."""
    if not media_ids:
        return []
    query = select(AccountMedia.id).where(
        AccountMedia.account_id == account.id,
        AccountMedia.media_id.in_(media_ids),
        AccountMedia.state == "pending",
    )
    return list(session.scalars(query.order_by(AccountMedia.id)))
