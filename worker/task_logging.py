"""Measures each task's duration and result, and adds its name and ids to log lines."""

import time
from typing import Any

from celery.signals import task_postrun, task_prerun
from structlog.contextvars import bind_contextvars, clear_contextvars

from shared import metrics


class _RunningTask:
    """When this child's task began; a child runs one task at a time."""

    began_at = 0.0


def install() -> None:
    """Call this in every process that runs tasks."""
    task_prerun.connect(_on_task_start, weak=False)
    task_postrun.connect(_on_task_end, weak=False)


def _on_task_start(task_id: str, task: Any, **_: Any) -> None:
    clear_contextvars()
    bind_contextvars(task=task.name, task_id=task_id)
    _RunningTask.began_at = time.monotonic()


def _on_task_end(task: Any, state: str | None, **_: Any) -> None:
    seconds = time.monotonic() - _RunningTask.began_at
    metrics.TASK.labels(task.name, (state or "unknown").lower()).observe(seconds)
    clear_contextvars()
