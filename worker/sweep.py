"""Sweep: look, without having been told, for everything that is due, lost or finished."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from shared import in_bulk, jobs, outbox, profile_removal, waits
from shared.domain.states import DONE, PostState
from shared.enqueue import MOST_WAITING, UPLOADS_WOKEN
from shared.models import AccountMedia, Job, JobMedia, Post
from worker import (
    adopt,
    cancel,
    deliver,
    explain,
    litter,
    lost_calls,
    lost_uploads,
    meeting,
    moves,
    outages,
    pulses,
    punctual,
    reconcile,
    submissions,
    track,
    unreachable,
    upload,
)
from worker.runtime import Runtime
from worker.steps import Step, run_step, run_steps

JOBS_AT_ONCE = 200
#: Ticks come twice as often as sweeps: they leave these their half of the line.
OF_TICKS = MOST_WAITING // 2
OPEN = [state for state in PostState if state not in DONE]
#: Steps that name accounts, by the task that each of these is to be woken for.
Finders = Mapping[str, Step[Iterable[int]]]


def tick(runtime: Runtime) -> None:
    """Every second: wake what is due to be released, looked at, or told to webhooks."""
    runtime.waker.release()
    _wake_found(runtime, DUE_TO_THE_SECOND, most=OF_TICKS)
    if run_step(runtime, "find_deliveries", lambda _, session: deliver.due(session)):
        runtime.waker.deliver()


def sweep(runtime: Runtime) -> None:
    """Every two seconds: rescue what lost its owner, wake what waits, finish what is done."""
    run_steps(runtime, RESCUES)
    moves.follow_accounts(runtime)
    runtime.waker.uploads(run_step(runtime, "find_uploads", _waiting_uploads) or ())
    if run_step(
        runtime, "find_removals", lambda _, session: profile_removal.being_deleted(session)
    ):
        runtime.waker.remove_profiles()
    _wake_found(runtime, WAITING)
    run_step(runtime, "finish_jobs", _finish_jobs)
    pulses.note(runtime, pulses.BEAT)


def _wake_found(runtime: Runtime, finders: Finders, *, most: int = MOST_WAITING) -> None:
    found = run_steps(runtime, finders)
    wanted = [(task, account_id) for task, ids in found.items() for account_id in ids]
    runtime.waker.wake_some(wanted, most=most)


def _waiting_uploads(_: Runtime, session: Session) -> Sequence[int]:
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


def _finish_jobs(_: Runtime, session: Session) -> None:
    """Note the end of jobs that have nothing more to wait for."""
    open_posts = exists().where(Post.job_id == Job.id, Post.state.in_(OPEN))
    in_doubt = exists().where(Post.job_id == Job.id, Post.in_doubt)
    open_media = exists().where(
        JobMedia.job_id == Job.id,
        AccountMedia.id == JobMedia.account_media_id,
        AccountMedia.state.in_(("pending", "uploading")),
    )
    unfinished = session.scalars(
        select(Job)
        .where(Job.finished_at.is_(None), ~open_posts, ~in_doubt, ~open_media)
        .order_by(Job.id)
        .limit(JOBS_AT_ONCE)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    ended = jobs.outcomes(session, unfinished)
    for outcome in ended:
        outcome.job.state = outcome.state
        outcome.job.finished_at = outcome.finished_at
    outbox.jobs_finished(session, ended)


#: What lost its owner, came too late, or belongs elsewhere by now.
RESCUES: Mapping[str, Step[object]] = {
    "rescue_calls": lambda runtime, session: lost_calls.rescue(
        session,
        runtime.settings.lease_seconds,
        wait_seconds=runtime.settings.unknown_release_seconds,
    ),
    "give_up_calls": lambda _, session: lost_calls.give_up(session),
    "look_again": lambda _, session: waits.look_again(session),
    "take_back": lambda _, session: in_bulk.tidy(session),
    "explain_scheduled": lambda _, session: explain.scheduled(session),
    "give_up_scheduled": lambda _, session: explain.give_up_scheduled(session),
    "give_up_unreachable": lambda runtime, session: unreachable.give_up(
        session, runtime.settings.outcome_unknown_seconds
    ),
    "give_up_old": lambda _, session: unreachable.give_up_old(session),
    "late_pending": lambda _, session: punctual.enforce(session, PostState.PENDING),
    "late_staged": lambda _, session: punctual.enforce(session, PostState.STAGED),
    "rescue_uploads": lambda _, session: lost_uploads.rescue(session),
    "give_up_uploads": lambda _, session: lost_uploads.give_up_spent(session),
}
WAITING: Finders = {
    "pressroom.stage": lambda _, session: {*submissions.due(session), *adopt.due(session)},
    "pressroom.litter": lambda _, session: litter.due(session),
    "pressroom.meet": lambda _, session: meeting.due(session),
    "pressroom.probe": lambda _, session: outages.due(session),
}
DUE_TO_THE_SECOND: Finders = {
    "pressroom.reconcile": lambda _, session: reconcile.due(session),
    "pressroom.track": lambda _, session: track.due(session),
    "pressroom.cancel": lambda _, session: cancel.due(session),
}
