"""The worker's tasks in this process: wake-ups that are kept until a test follows them."""

import os
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.task_queue import PUBLISH, Waker
from worker.accounts import organization_lookup, outage_probe
from worker.bulkhead import Bulkhead
from worker.media import fetch_run, upload_turns
from worker.profiles import profile_deletion
from worker.publishing import cancel, reconcile, track
from worker.releasing import release_run
from worker.runtime import Runtime
from worker.staging import orphan_drafts, stage
from worker.webhooks import deliver


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
