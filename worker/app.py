"""The Celery app: its settings, and what happens when a worker child starts and ends.

The work is in the database; a message only wakes a worker. So messages are acknowledged early, and
Celery never retries them: if a message is lost, the sweep sends it again; if it is duplicated, the
second claim fails and the duplicate stops.
"""

import gc
import os
import shutil
from typing import Any

from celery import Celery, platforms
from celery.signals import (
    setup_logging,
    worker_before_create_process,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)

from shared.config import read_settings
from shared.log import configure_logging
from shared.task_queue import CELERY_SETTINGS, Waker
from worker import runtime, task_logging
from worker.beat_schedule import ENTRIES
from worker.bulkhead import Bulkhead, pool_folder

settings = read_settings()
app = Celery("pressroom", broker=settings.redis_url.get_secret_value(), include=["worker.tasks"])
task_logging.install()
#: Keeps the command line of a process, so that it can be restarted by it. If setproctitle is
#: installed, Celery would overwrite the command line.
platforms._setproctitle = None
app.conf.update(
    CELERY_SETTINGS,
    task_acks_late=False,
    task_reject_on_worker_lost=False,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    task_send_sent_event=False,
    worker_send_task_events=True,
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=True,
    task_retry_on_worker_lost=False,
    beat_enable_remote_control=True,
    worker_max_tasks_per_child=1000,
    worker_soft_shutdown_timeout=settings.call_timeout_seconds + 5,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=False,
    beat_schedule=ENTRIES,
    beat_scheduler="worker.clock:Clock",  # keeps no file: due work is in the database
    beat_max_loop_interval=1,
)


class _Process:
    """What this worker child created after its fork."""

    current: "runtime.Runtime | None" = None
    children = 1


def current_runtime() -> runtime.Runtime:
    """This process's runtime; created at first use if no signal did it (solo pool)."""
    if _Process.current is None:
        _Process.current = runtime.build_runtime(Waker(app))
    return _Process.current


def worker_bulkhead() -> Bulkhead:
    return Bulkhead(_Process.children)


@worker_init.connect  # type: ignore[untyped-decorator]
def _count_children(sender: Any, **_: Any) -> None:
    """Before the fork, so that each child knows the number of children."""
    _Process.children = sender.concurrency or 1


@worker_before_create_process.connect  # type: ignore[untyped-decorator]
def _keep_pages_shared(**_: Any) -> None:
    """What is loaded by now stays for ever. The collector of a child would mark each object of it,
    and so get a copy of each of its pages."""
    gc.collect()
    gc.freeze()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _send_first_heartbeat(sender: Any, **_: Any) -> None:
    """Send a first heartbeat, so that the worker need not wait for beat's first one to be ready."""
    for queue in sender.app.amqp.queues.consume_from:
        sender.app.send_task("pressroom.pulse", queue=queue)


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def _remove_pool_folder(**_: Any) -> None:
    shutil.rmtree(pool_folder(os.getpid()), ignore_errors=True)


@setup_logging.connect  # type: ignore[untyped-decorator]
def _set_up_logging(**_: Any) -> None:
    configure_logging(settings.log_format)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _start_child(**_: Any) -> None:
    _Process.current = None
    current_runtime()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _close_child(**_: Any) -> None:
    if _Process.current is not None:
        _Process.current.close()
        _Process.current = None
