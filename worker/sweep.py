"""Sweep: searches the database regularly for everything that is due, lost or finished.

A round may name the steps for which there is work (worker/due_work.py); the others are left out. A
round that names none does all of them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from shared.accounts import channel_states, waits
from shared.domain.publishing.states import DONE, PostState
from shared.jobs import progress
from shared.models import AccountMedia, Job, JobMedia, Post
from shared.posts import bulk_cancel_retry
from shared.profiles import deletion
from shared.task_queue import MOST_WAITING, UPLOADS_WOKEN
from shared.webhooks import outbox
from worker import heartbeats
from worker.accounts import organization_lookup, outage_probe, stalled_servers
from worker.media import expired_uploads, fetch_run, lost_uploads, upload
from worker.profiles import account_moves
from worker.publishing import (
    blocked_reasons,
    cancel,
    late_posts,
    reconcile,
    track,
    unreachable_posts,
    waiting_edits,
)
from worker.round_steps import Step, run_step, run_steps
from worker.runtime import Runtime
from worker.staging import (
    channel_watch,
    deferred_validation,
    draft_adoption,
    lost_calls,
    orphan_drafts,
    submissions,
)
from worker.webhooks import channel_events, deliver

T = TypeVar("T")
JOBS_AT_ONCE = 200
#: Ticks run twice as often as sweeps, and leave half of the places in the queue to them.
OF_TICKS = MOST_WAITING // 2
OPEN = [state for state in PostState if state not in DONE]
#: Steps that find accounts, by the task to send for each account.
Finders = Mapping[str, Step[Iterable[int]]]


def run_tick(runtime: Runtime, steps: Collection[str] | None = None) -> None:
    """Every second: wake workers for releases, reconciling, tracking and webhooks that are due."""
    this = _Round(runtime, steps)
    if this.includes("pressroom.release"):
        runtime.waker.release()
    this.wake_found(DUE_TO_THE_SECOND, most=OF_TICKS)
    if this.run("find_deliveries", lambda _, session: deliver.has_due_deliveries(session)):
        runtime.waker.deliver()


def run_sweep(runtime: Runtime, steps: Collection[str] | None = None) -> None:
    """Every two seconds: rescue lost work, wake workers for waiting work, and finish jobs."""
    this = _Round(runtime, steps)
    run_steps(runtime, this.choose(RESCUES))
    if this.includes("find_moves"):
        account_moves.continue_moves(runtime)
    runtime.waker.uploads(this.run("find_uploads", _waiting_uploads) or ())
    if this.run("find_fetches", lambda _, session: fetch_run.has_waiting(session)):
        runtime.waker.fetch()
    if this.run("find_removals", lambda _, session: deletion.list_marked_profiles(session)):
        runtime.waker.remove_profiles()
    this.wake_found(WAITING)
    this.run("finish_jobs", _finish_jobs)
    heartbeats.record_heartbeat(runtime, heartbeats.BEAT)


@dataclass(frozen=True)
class _Round:
    """`steps`: the names of those to do; None means all."""

    runtime: Runtime
    steps: Collection[str] | None

    def includes(self, name: str) -> bool:
        return self.steps is None or name in self.steps

    def choose(self, steps: Mapping[str, Step[T]]) -> dict[str, Step[T]]:
        return {name: step for name, step in steps.items() if self.includes(name)}

    def run(self, name: str, step: Step[T]) -> T | None:
        """The step's result; None if it failed, or is left out."""
        return run_step(self.runtime, name, step) if self.includes(name) else None

    def wake_found(self, finders: Finders, *, most: int = MOST_WAITING) -> None:
        found = run_steps(self.runtime, self.choose(finders))
        wanted = [(task, account_id) for task, ids in found.items() for account_id in ids]
        self.runtime.waker.wake_some(wanted, most=most)


def _waiting_uploads(_: Runtime, session: Session) -> Sequence[int]:
    first = waiting_uploads_query().order_by(AccountMedia.next_at)
    return session.scalars(first.limit(UPLOADS_WOKEN)).all()


def waiting_uploads_query() -> Select[int]:
    return select(AccountMedia.id).where(
        AccountMedia.state == "pending",
        AccountMedia.next_at <= func.now(),
        upload.may_start(),
        ~upload.needs_fetch(),
    )


def _finish_jobs(_: Runtime, session: Session) -> None:
    """Record the end of jobs that have nothing left to wait for."""
    unfinished = session.scalars(
        ended_jobs_query()
        .order_by(Job.id)
        .limit(JOBS_AT_ONCE)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    outcomes = progress.read_outcomes(session, unfinished)
    # one may have been reopened just before its row was locked, after the query had looked
    ended = [outcome for outcome in outcomes if outcome.finished_at is not None]
    for outcome in ended:
        outcome.job.state = outcome.state
        outcome.job.finished_at = outcome.finished_at
    outbox.enqueue_job_events(session, ended)


def ended_jobs_query() -> Select[Job]:
    """Jobs that have nothing left to wait for, and are not recorded as ended yet."""
    open_posts = exists().where(Post.job_id == Job.id, Post.state.in_(OPEN))
    in_doubt = exists().where(Post.job_id == Job.id, Post.in_doubt)
    open_media = exists().where(
        JobMedia.job_id == Job.id,
        AccountMedia.id == JobMedia.account_media_id,
        AccountMedia.state.in_(("pending", "uploading")),
    )
    return select(Job).where(Job.finished_at.is_(None), ~open_posts, ~in_doubt, ~open_media)


#: Steps for work that lost its worker, is too late, or now belongs to another account.
RESCUES: Mapping[str, Step[object]] = {
    "rescue_calls": lambda runtime, session: lost_calls.rescue_calls(
        session,
        runtime.settings.lease_seconds,
        wait_seconds=runtime.settings.unknown_release_seconds,
    ),
    "give_up_calls": lambda _, session: lost_calls.give_up_calls(session),
    "look_again": lambda _, session: waits.end_expired_waits(session),
    "take_back": lambda _, session: bulk_cancel_retry.finish_requested_cancels(session),
    "apply_edits": lambda _, session: waiting_edits.apply_waiting(session),
    "drop_edits": lambda _, session: waiting_edits.end_unreachable(session),
    "explain_scheduled": lambda _, session: blocked_reasons.record_for_scheduled(session),
    "give_up_scheduled": lambda _, session: blocked_reasons.give_up_scheduled(session),
    "cancel_left_drafts": lambda _, session: unreachable_posts.cancel_left_drafts(session),
    "give_up_unreachable": lambda runtime, session: unreachable_posts.give_up(
        session, runtime.settings.outcome_unknown_seconds
    ),
    "give_up_taken_back": lambda runtime, session: unreachable_posts.give_up_taken_back(
        session, runtime.settings.outcome_unknown_seconds
    ),
    "give_up_old": lambda _, session: unreachable_posts.give_up_old(session),
    "judge_servers": lambda _, session: stalled_servers.judge_servers(session),
    "try_channels": lambda _, session: channel_states.try_channels(session),
    "tell_channels": lambda _, session: channel_events.tell_channels(session),
    "late_pending": lambda _, session: late_posts.enforce_policy(session, PostState.PENDING),
    "late_unapproved": lambda _, session: late_posts.enforce_policy(
        session, PostState.WAITING_APPROVAL
    ),
    "late_staged": lambda _, session: late_posts.enforce_policy(session, PostState.STAGED),
    "rescue_uploads": lambda _, session: lost_uploads.requeue_lost(session),
    "give_up_uploads": lambda _, session: lost_uploads.give_up_exhausted(session),
    "expire_uploads": expired_uploads.end_expired,
}
WAITING: Finders = {
    "pressroom.stage": lambda _, session: {
        *submissions.find_due_accounts(session),
        *draft_adoption.find_due_accounts(session),
        *channel_watch.find_due_accounts(session),
        *deferred_validation.find_due_accounts(session),
    },
    "pressroom.litter": lambda _, session: orphan_drafts.find_due_accounts(session),
    "pressroom.meet": lambda _, session: organization_lookup.find_due_accounts(session),
    "pressroom.probe": lambda _, session: outage_probe.find_due_accounts(session),
}
DUE_TO_THE_SECOND: Finders = {
    "pressroom.reconcile": lambda _, session: reconcile.find_due_accounts(session),
    "pressroom.track": lambda _, session: track.find_due_accounts(session),
    "pressroom.cancel": lambda _, session: cancel.find_due_accounts(session),
}
