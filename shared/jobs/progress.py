"""Jobs: one per accepted request. Their progress is counted from their posts or uploads."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, select, update
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles
from shared.accounts import waits
from shared.domain.publishing.states import JobState, PostState, count_done, job_state
from shared.errors import Conflict
from shared.models import AccountMedia, Job, JobMedia, Post

UPLOADS = ("upload", "bulk_upload")
PUBLISHING = ("publish", "bulk_publish")
#: The state of a job is known only after its posts are counted, so a filter reads in batches.
_BATCH = 500
#: Values for a job that has something to wait for again.
REOPENED: Mapping[str, Any] = {
    "finished_at": None,
    "timeline_pruned": False,
    "updated_at": func.now(),
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The progress of a job. `eta`: see shared/jobs/etas.py; None if it was not asked for.

    Of the scheduled posts, `in_doubt` are late or failing, and their outcome may still become
    known; `overdue` have been so for too long to wait for, and are an error.
    """

    job: Job
    counts: Mapping[str, int]
    touched_at: datetime
    in_doubt: int = 0
    overdue: int = 0
    eta: datetime | None = None

    @property
    def state(self) -> JobState:
        if not self.counts:
            return JobState(self.job.state)
        return job_state(
            self.counts, paused=self.job.paused, in_doubt=self.in_doubt, overdue=self.overdue
        )

    @property
    def done(self) -> int:
        return count_done(self.counts, in_doubt=self.in_doubt)

    @property
    def percentage(self) -> int:
        """Rounded down, so that 100 means all."""
        total = sum(self.counts.values())
        return 100 * self.done // total if total else 0

    @property
    def finished_at(self) -> datetime | None:
        over = self.state not in {JobState.QUEUED, JobState.RUNNING, JobState.PAUSED}
        return (self.job.finished_at or self.touched_at) if over else None


@dataclass
class _Tally:
    counts: dict[str, int] = field(default_factory=dict)
    touched: list[datetime] = field(default_factory=list)
    in_doubt: int = 0
    overdue: int = 0


def read_outcomes(session: Session, jobs: Sequence[Job]) -> list[Outcome]:
    """The outcome of each job, in the order of `jobs`."""
    tallies: dict[int, _Tally] = defaultdict(_Tally)
    for query in (_post_counts([job.id for job in jobs]), _upload_counts([job.id for job in jobs])):
        for job_id, state, number, touched_at, in_doubt, overdue in session.execute(query):
            tally = tallies[job_id]
            tally.counts[state] = number
            tally.touched += [touched_at] if touched_at else []
            tally.in_doubt += in_doubt
            tally.overdue += overdue
    return [_make_outcome(job, tallies[job.id]) for job in jobs]


def read_outcome(session: Session, job: Job) -> Outcome:
    return read_outcomes(session, [job])[0]


def _make_outcome(job: Job, tally: _Tally) -> Outcome:
    return Outcome(
        job=job,
        counts=tally.counts,
        touched_at=max([job.updated_at, *tally.touched]),
        in_doubt=tally.in_doubt,
        overdue=tally.overdue,
    )


def read_calendar_end(session: Session, job_id: int) -> datetime | None:
    """When the last of its posts in Postiz's calendar goes out; None if none is there."""
    there = Post.job_id == job_id, Post.state == PostState.SCHEDULED
    return session.scalar(select(func.max(Post.publish_at)).where(*there))


def overdue_condition() -> ColumnElement[bool]:
    """Scheduled posts that went wrong in Postiz, and for which their job no longer waits."""
    in_postiz = Post.state == PostState.SCHEDULED
    return and_(in_postiz, Post.error_code.is_not(None), ~Post.in_doubt)


def _post_counts(ids: Sequence[int]) -> Select[int, str, int, datetime, int, int]:
    in_doubt = func.count().filter(Post.in_doubt)
    late = func.count().filter(overdue_condition())
    columns = (Post.job_id, Post.state, func.count(), func.max(Post.updated_at), in_doubt, late)
    return select(*columns).where(Post.job_id.in_(ids)).group_by(Post.job_id, Post.state)


def _upload_counts(ids: Sequence[int]) -> Select[int, str, int, datetime | None, int, int]:
    touched = func.max(AccountMedia.uploaded_at)
    none = literal(0)
    columns = (JobMedia.job_id, AccountMedia.state, func.count(), touched, none, none)
    joined = select(*columns).join(AccountMedia, AccountMedia.id == JobMedia.account_media_id)
    return joined.where(JobMedia.job_id.in_(ids)).group_by(JobMedia.job_id, AccountMedia.state)


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Whose jobs to list, and which; None and no kinds mean any."""

    visible: VisibleProfiles
    kinds: Sequence[str] = ()
    state: JobState | None = None


def list_newest_jobs(
    session: Session, wanted: JobFilter, *, before: int | None, limit: int
) -> list[Outcome]:
    """The newest jobs first, older than the job with the id `before`."""
    found: list[Outcome] = []
    for batch in _job_batches(session, wanted, before, _BATCH if wanted.state else limit):
        rows = read_outcomes(session, batch)
        found += [row for row in rows if wanted.state in {None, row.state}]
        if len(found) >= limit:
            break
    return found[:limit]


def _job_batches(
    session: Session, wanted: JobFilter, before: int | None, size: int
) -> Iterator[Sequence[Job]]:
    while True:
        query = select(Job).where(wanted.visible.condition(Job))
        query = query.order_by(Job.id.desc()).limit(size)
        if wanted.kinds:
            query = query.where(Job.kind.in_(wanted.kinds))
        if before is not None:
            query = query.where(Job.id < before)
        batch = session.scalars(query).all()
        yield batch
        if len(batch) < size:
            return
        before = batch[-1].id


def reopen_jobs(session: Session, post_ids: Collection[int]) -> None:
    """The jobs of these posts have something to wait for again.

    Once in a transaction, and before it asks for uploads: two that change posts of the same jobs
    then take what both need in the same order.
    """
    theirs = select(Post.job_id).where(Post.id.in_(post_ids))
    ordered = select(Job.id).where(Job.id.in_(theirs)).order_by(Job.id)
    if ids := session.scalars(ordered.with_for_update(key_share=True)).all():
        session.execute(
            update(Job).where(Job.id.in_(ids)).values(REOPENED),
            execution_options={"synchronize_session": False},
        )


def set_paused(session: Session, job: Job, *, paused: bool) -> None:
    """Raises `Conflict` for a job that has nothing left to do."""
    state = read_outcome(session, job).state
    if state not in {JobState.QUEUED, JobState.RUNNING, JobState.PAUSED}:
        raise Conflict(f"The job is {state}: there is nothing left to pause or resume")
    session.execute(
        update(Job).where(Job.id == job.id).values(paused=paused, updated_at=func.now())
    )
    if not paused:
        waits.end_wait(session, waits.for_job(job.id))
    session.refresh(job)
