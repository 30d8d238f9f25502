"""The Celery tasks: thin, with readable names for Flower, and only ids as arguments."""

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Any

from structlog.contextvars import bind_contextvars

from shared.containment import database_may_be_away
from shared.errors import ClaimLost
from shared.log import get_logger
from shared.task_queue import QUEUES
from worker import heartbeats, sweep
from worker.accounts import organization_lookup, outage_probe
from worker.app import app, current_runtime, worker_bulkhead
from worker.beat_schedule import STEPS
from worker.media import fetch_run, upload_turns
from worker.profiles import profile_deletion
from worker.publishing import cancel, reconcile, track
from worker.releasing import release_run
from worker.retention import clean
from worker.runtime import Runtime
from worker.schedules import fire
from worker.staging import orphan_drafts, stage
from worker.step_threads import StepThreads
from worker.webhooks import deliver

log = get_logger("tasks")
#: More than the longest publishing task: one time slice, and a call that began at its end.
SHORT = {"soft_time_limit": 120, "time_limit": 150}
#: Enough for a gigabyte over a slow line; an upload without progress ends much earlier (seconds).
LONG = {"soft_time_limit": 4 * 3600, "time_limit": 4 * 3600 + 60}

#: A task that goes on while there is work, each part of which has a limit of its own.
NO_LIMIT: Mapping[str, int] = {}


def guarded_task(
    name: str, limits: Mapping[str, int] = SHORT
) -> Callable[[Callable[..., None]], Any]:
    """A task that tolerates an unavailable database, and records its queue's heartbeat."""

    def decorate_step(run: Callable[..., None]) -> Any:
        @app.task(name=name, **limits)  # type: ignore[untyped-decorator]
        @wraps(run)
        def run_guarded(*arguments: Any) -> None:
            delivery = run_guarded.request.delivery_info or {}
            with database_may_be_away():
                heartbeats.record_queue_heartbeat(
                    current_runtime(), delivery.get("routing_key") or QUEUES[name]
                )
                run(*arguments)

        return run_guarded

    return decorate_step


@guarded_task("pressroom.upload", LONG)
def upload_medium(_: int) -> None:
    """The id only says that uploads wait; the database decides which one is next."""
    upload_turns.upload_in_turn(current_runtime(), worker_bulkhead())


@guarded_task("pressroom.fetch", NO_LIMIT)
def fetch_media() -> None:
    with worker_bulkhead().leader_lock("fetcher") as admitted:
        if admitted:
            fetch_run.fetch_waiting(current_runtime())


@guarded_task("pressroom.stage")
def stage_account(account_id: int) -> None:
    _run_account_step(stage.stage_posts, account_id)


@guarded_task("pressroom.release")
def release_due() -> None:
    release_run.release_due_posts(current_runtime(), worker_bulkhead())


@guarded_task("pressroom.reconcile")
def reconcile_account(account_id: int) -> None:
    _run_account_step(reconcile.settle, account_id)


@guarded_task("pressroom.track")
def track_account(account_id: int) -> None:
    _run_account_step(track.track, account_id)


@guarded_task("pressroom.cancel")
def cancel_account(account_id: int) -> None:
    _run_account_step(cancel.cancel, account_id)


@guarded_task("pressroom.litter")
def clean_account(account_id: int) -> None:
    _run_account_step(orphan_drafts.delete_orphans, account_id)


@guarded_task("pressroom.probe")
def probe_account(account_id: int) -> None:
    _run_account_step(outage_probe.probe_account, account_id)


@guarded_task("pressroom.meet")
def look_up_account(account_id: int) -> None:
    _run_account_step(organization_lookup.look_up_organizations, account_id)


@guarded_task("pressroom.deliver")
def deliver_all() -> None:
    with worker_bulkhead().leader_lock("courier") as admitted:
        if admitted:
            deliver.send_due_deliveries(current_runtime())


@guarded_task("pressroom.tick")
def wake_due() -> None:
    sweep.run_tick(current_runtime(), _named_steps(wake_due))


@guarded_task("pressroom.sweep")
def sweep_all() -> None:
    sweep.run_sweep(current_runtime(), _named_steps(sweep_all))


@guarded_task("pressroom.schedules")
def fire_schedules() -> None:
    fire.fire_due(current_runtime())


@guarded_task("pressroom.clean", LONG)
def clean_up() -> None:
    clean.run_cleanup_if_due(current_runtime())


@guarded_task("pressroom.remove", LONG)
def remove_profiles() -> None:
    with worker_bulkhead().leader_lock("removal") as admitted:
        if admitted:
            profile_deletion.remove_profiles(current_runtime())


@guarded_task("pressroom.pulse")
def answer_heartbeat(sender: str | None = None) -> None:
    """Sent through each queue: every task records a heartbeat of its queue, this one also beat's,
    if beat says that it sent it."""
    if sender == heartbeats.BEAT:
        heartbeats.record_heartbeat(current_runtime(), heartbeats.BEAT)


def _named_steps(round_: Any) -> Collection[str] | None:
    """The steps that the message of this round names; None means all."""
    steps: Collection[str] | None = round_.request.get(STEPS)
    return steps


def _run_account_step(step: Callable[[Runtime, int], None], account_id: int) -> None:
    """Run a step if its account has room. If another worker took the rows, only log it."""
    runtime = current_runtime()
    bind_contextvars(account=account_id)
    runtime.keep(StepThreads).run(account_id, lambda: _run_step(runtime, step, account_id))


def _run_step(runtime: Runtime, step: Callable[[Runtime, int], None], account_id: int) -> None:
    try:
        step(runtime, account_id)
    except ClaimLost as error:
        log.warning("claim lost", account=account_id, reason=error.message)
