"""Why parts of a job failed: the failures grouped by cause, the most frequent first."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.domain.publishing.states import PostState
from shared.models import AccountMedia, Job, JobMedia, Post
from shared.posts import cancel_retry


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Failures with the same code. `message` and `hint`: of the first of them, the `example`.

    `example`: the id of a post, or of a medium in a job of uploads. `may_be_live`: how many may be
    on the network.
    """

    code: str
    message: str
    hint: str | None
    count: int
    may_be_live: int
    example: int


def list_causes(session: Session, job: Job, visible: VisibleProfiles) -> list[Cause]:
    """Of the job's failed posts and uploads that the caller may see."""
    own = Post.job_id == job.id, visible.condition(Post)
    causes = [*list_post_causes(session, *own), *_causes_of_uploads(session, job, visible)]
    return sorted(causes, key=lambda cause: (-cause.count, cause.code))


def list_post_causes(session: Session, *which: ColumnElement[bool]) -> list[Cause]:
    """Of those of these posts that failed, in no order."""
    failed = Post.state == PostState.FAILED, *which
    live = func.count().filter(cancel_retry.may_be_live())
    groups = session.execute(
        select(Post.error_code, func.count(), live, func.min(Post.id))
        .where(*failed)
        .group_by(Post.error_code)
    ).all()
    first = {post.id: post for post in _load_posts(session, [row[3] for row in groups])}
    return [
        Cause(
            code=code or "unknown",
            message=first[example].error_message or "",
            hint=first[example].error_hint,
            count=count,
            may_be_live=may_be_live,
            example=example,
        )
        for code, count, may_be_live, example in groups
    ]


def _load_posts(session: Session, ids: Sequence[int]) -> Sequence[Post]:
    return session.scalars(select(Post).where(Post.id.in_(ids))).all()


def _causes_of_uploads(session: Session, job: Job, visible: VisibleProfiles) -> Sequence[Cause]:
    message = func.min(AccountMedia.error_message)
    groups = session.execute(
        select(AccountMedia.error_code, message, func.count(), func.min(AccountMedia.media_id))
        .join(JobMedia, JobMedia.account_media_id == AccountMedia.id)
        .where(
            JobMedia.job_id == job.id,
            AccountMedia.state == "failed",
            visible.condition(AccountMedia),
        )
        .group_by(AccountMedia.error_code)
    ).all()
    return [
        Cause(
            code=code or "unknown",
            message=words or "",
            hint=None,
            count=count,
            may_be_live=0,
            example=example,
        )
        for code, words, count, example in groups
    ]
