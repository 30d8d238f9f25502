"""Sweep: look, without having been told, for everything that is due, lost or finished."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.orm import Session

from shared import in_bulk, jobs, outbox, posts
from shared.domain.planner import CALENDAR_AHEAD
from shared.domain.states import DONE, PostState
from shared.enqueue import MOST_WAITING, UPLOADS_WOKEN
from shared.late_policy import not_too_late
from shared.models import Account, AccountMedia, Job, JobMedia, Post
from worker import (
    accounts,
    deliver,
    explain,
    litter,
    meeting,
    pulses,
    punctual,
    reconcile,
    stage,
    upload,
)
from worker.decisions import MAX_ATTEMPTS
from worker.runtime import Runtime
from worker.track import TRACKED

JOBS_AT_ONCE = 200
#: Ticks come twice as often as sweeps: they leave these their half of the line.
OF_TICKS = MOST_WAITING // 2
OPEN = [state for state in PostState if state not in DONE]


def tick(runtime: Runtime) -> None:
    """Every second: wake what is due to be released, looked at, or told to webhooks."""
    with runtime.database.transaction() as session:
        settle = _accounts_with(session, PostState.RELEASING, Post.lease_until <= func.now())
        track = [
            account_id
            for state in TRACKED
            for account_id in _accounts_with(session, state, Post.track_at <= func.now())
        ]
        cancel = _accounts_with(session, PostState.CANCELLING, Post.lease_until <= func.now())
        told = deliver.due(session)
    runtime.waker.release()
    by_task = {
        "pressroom.reconcile": settle,
        "pressroom.track": track,
        "pressroom.cancel": cancel,
    }
    runtime.waker.wake_some(_wake_ups(by_task), most=OF_TICKS)
    if told:
        runtime.waker.deliver()


def sweep(runtime: Runtime) -> None:
    """Every two seconds: rescue what lost its owner, wake what waits, finish what is done."""
    with runtime.database.transaction() as session:
        stage.rescue(session, runtime.settings.lease_seconds)
        posts.follow_accounts(session)
        in_bulk.tidy(session)
        explain.scheduled(session)
        reconcile.give_up_unreachable(session, runtime.settings.outcome_unknown_seconds)
    punctual.enforce(runtime)
    with runtime.database.transaction() as session:
        _rescue_uploads(session)
        uploads = _waiting_uploads(session)
        pending = _accounts_to_plan(session)
        dirty = litter.due(session)
        strangers = meeting.due(session)
    runtime.waker.uploads(uploads)
    by_task = {
        "pressroom.stage": pending,
        "pressroom.litter": dirty,
        "pressroom.meet": strangers,
    }
    runtime.waker.wake_some(_wake_ups(by_task))
    with runtime.database.transaction() as session:
        _finish_jobs(session)
    pulses.note(runtime, pulses.BEAT)


def _accounts_with(session: Session, state: PostState, *due: ColumnElement[bool]) -> Sequence[int]:
    """The accounts that may be called and have a post in `state` that is due."""
    has_one = exists().where(Post.account_id == Account.id, Post.state == state, *due)
    return session.scalars(select(Account.id).where(accounts.rested(), has_one)).all()


def _accounts_to_plan(session: Session) -> Sequence[int]:
    """Accounts that may have a call to make: nobody plans for them, or has just found that not."""
    free = or_(Account.lease_until.is_(None), Account.lease_until < func.now())
    planned = or_(Account.plan_at.is_(None), Account.plan_at <= func.now())
    waiting = exists().where(
        Post.account_id == Account.id,
        Post.state == PostState.PENDING,
        Post.next_at <= func.now(),
        Post.publish_at <= func.now() + CALENDAR_AHEAD,
        not_too_late(),
    )
    query = select(Account.id).where(accounts.rested(), free, planned, waiting)
    return session.scalars(query.where(Account.paused.is_(False))).all()


def _wake_ups(by_task: Mapping[str, Iterable[int]]) -> list[tuple[str, int]]:
    return [(task, each) for task, ids in by_task.items() for each in ids]


def _rescue_uploads(session: Session) -> None:
    """An upload whose worker is gone is tried again; a second copy in Postiz is only litter."""
    session.execute(
        update(AccountMedia)
        .where(AccountMedia.state == "uploading", AccountMedia.lease_until < func.now())
        .values(state="pending", lease_until=None)
    )
    poison = update(AccountMedia).where(
        AccountMedia.state == "pending", AccountMedia.attempts >= MAX_ATTEMPTS + 1
    )
    words = f"given up after {MAX_ATTEMPTS} attempts"
    given_up = session.execute(
        poison.values(
            state="failed", error_code="too_many_attempts", error_message=words
        ).returning(AccountMedia.account_id, AccountMedia.media_id)
    ).all()
    for account_id, media_id in given_up:
        upload.fail_waiting(session, account_id, media_id, words)


def _waiting_uploads(session: Session) -> Sequence[int]:
    return session.scalars(
        select(AccountMedia.id)
        .where(
            AccountMedia.state == "pending",
            AccountMedia.next_at <= func.now(),
            upload.may_go(),
        )
        .order_by(AccountMedia.next_at)
        .limit(UPLOADS_WOKEN)
    ).all()


def _finish_jobs(session: Session) -> None:
    """Note the end of jobs that have nothing more to wait for."""
    open_posts = exists().where(Post.job_id == Job.id, Post.state.in_(OPEN))
    open_media = exists().where(
        JobMedia.job_id == Job.id,
        AccountMedia.id == JobMedia.account_media_id,
        AccountMedia.state.in_(("pending", "uploading")),
    )
    unfinished = session.scalars(
        select(Job)
        .where(Job.finished_at.is_(None), ~open_posts, ~open_media)
        .order_by(Job.id)
        .limit(JOBS_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    ended = jobs.outcomes(session, unfinished)
    for outcome in ended:
        outcome.job.state = outcome.state
        outcome.job.finished_at = outcome.finished_at
    outbox.jobs_finished(session, ended)
