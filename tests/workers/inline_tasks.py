"""The worker's tasks in this process: wake-ups that are kept until a test follows them."""

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.task_queue import PUBLISH, Waker
from worker import sweep
from worker.accounts import organization_lookup, outage_probe
from worker.bulkhead import Bulkhead
from worker.due_work import DueWork
from worker.media import fetch_run, upload_turns
from worker.profiles import profile_deletion
from worker.publishing import cancel, reconcile, track
from worker.releasing import release_run
from worker.runtime import Runtime
from worker.staging import orphan_drafts, stage
from worker.webhooks import deliver

#: Seconds between two sweeps, and between two looks for what is due.
SWEEP_SECONDS = 0.4
LOOK_SECONDS = 0.1


def only_child() -> Bulkhead:
    return Bulkhead(1, Path(tempfile.gettempdir()) / f"pool-of-{os.getpid()}")


def release_due(runtime: Runtime, _: int = 0) -> None:
    release_run.release_due_posts(runtime, only_child())


def upload_due(runtime: Runtime, _: int = 0) -> None:
    upload_turns.upload_in_turn(runtime, only_child())


STEPS: dict[str, Callable[[Runtime, int], None]] = {
    "pressroom.upload": upload_due,
    "pressroom.fetch": lambda runtime, _: fetch_run.fetch_waiting(runtime),
    "pressroom.stage": stage.stage_posts,
    "pressroom.release": release_due,
    "pressroom.reconcile": reconcile.settle,
    "pressroom.track": track.track,
    "pressroom.cancel": cancel.cancel,
    "pressroom.litter": orphan_drafts.delete_orphans,
    "pressroom.meet": organization_lookup.look_up_organizations,
    "pressroom.probe": outage_probe.probe_account,
    "pressroom.remove": lambda runtime, _: profile_deletion.remove_profiles(runtime),
    "pressroom.deliver": lambda runtime, _: deliver.send_due_deliveries(runtime),
}


class InlineWaker(Waker):
    """Keeps wake-ups for `World.work`; a second one for the same work is dropped."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, int]] = deque()

    def messages(self, queue: str = PUBLISH) -> int:
        if queue != PUBLISH:
            return 0  # a second wake-up of the same kind is dropped
        return len(self.waiting)

    def wake(self, task: str, *args: Any, queue: str | None = None) -> bool:
        argument = args[0] if args else 0
        if (task, argument) not in self.waiting:
            self.waiting.append((task, argument))
        return True


def waiting_tasks(runtime: Runtime) -> deque[tuple[str, int]]:
    """The wake-ups that nobody has followed yet."""
    assert isinstance(runtime.waker, InlineWaker)
    return runtime.waker.waiting


def follow_wake_ups(runtime: Runtime) -> None:
    """All that are waiting, and those that they cause."""
    waiting = waiting_tasks(runtime)
    while waiting:
        task, argument = waiting.popleft()
        STEPS[task](runtime, argument)


class Rounds:
    """Beat and a worker in one: as with beat, a step without work is left out."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._due_work = DueWork(runtime.database.engine, runtime.settings)
        self._next_sweep = 0.0

    def run_due(self) -> None:
        """What is due, all that follows from it, and a pause."""
        due = self._due_work.find_due_steps()
        now = time.monotonic()
        if "pressroom.sweep" in due and now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            sweep.run_sweep(self._runtime, due["pressroom.sweep"])
        if "pressroom.tick" in due:
            sweep.run_tick(self._runtime, due["pressroom.tick"])
        follow_wake_ups(self._runtime)
        time.sleep(LOOK_SECONDS)

    def close(self) -> None:
        self._due_work.close()
