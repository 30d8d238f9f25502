"""A job while it runs: a bar on a terminal, else a line whenever something has changed."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cli.http.api import Api
from cli.live.event_stream import follow
from cli.output import clean_text, note, notes

#: Seconds between two looks at the job's counts, and between two lines without a terminal.
_LOOK, _LINE = 1.0, 5.0
UPLOADS = frozenset({"upload", "bulk_upload"})


def watch_job(api: Api, job_id: str) -> dict[str, Any]:
    """The job, once it waits for nothing more."""
    path = f"/jobs/{quote(job_id, safe='')}"
    job: dict[str, Any] = api.get(path)
    with _Display(job) as display:
        ended = _follow_to_end(api, path, display)
    _tell_end(api, path, ended)
    return ended


class _Display:
    """Shows a job's counts, as often as is worth it."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._console = notes()
        self._progress = Progress(
            TextColumn("job {task.fields[job]}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[counts]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID = self._progress.add_task(
            "", total=100, completed=job["percentage"], job=job["id"], counts=_counts(job)
        )
        self._said = ""
        self._said_at = 0.0

    def __enter__(self) -> "_Display":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, job: Mapping[str, Any], *, is_last: bool = False) -> None:
        counts = _counts(job)
        self._progress.update(self._task, completed=job["percentage"], counts=counts)
        due = is_last or time.monotonic() - self._said_at > _LINE
        if not self._console.is_terminal and due and counts != self._said:
            note(f"job {job['id']}: {job['percentage']}%  {counts}")
            self._said, self._said_at = counts, time.monotonic()


def _follow_to_end(api: Api, path: str, display: _Display) -> dict[str, Any]:
    looked_at = 0.0
    for happening in follow(api, f"{path}/events"):
        if happening.name == "done":
            break
        if time.monotonic() - looked_at > _LOOK:
            display.show(api.get(path))
            looked_at = time.monotonic()
    ended: dict[str, Any] = api.get(path)
    display.show(ended, is_last=True)
    return ended


def _counts(job: Mapping[str, Any]) -> str:
    return ", ".join(f"{number} {state}" for state, number in job["counts"].items() if number)


def _tell_end(api: Api, path: str, job: Mapping[str, Any]) -> None:
    """Of a job with failures also their causes, and what to do."""
    note(f"Job {job['id']} is {job['state'].replace('_', ' ')}: {_counts(job)}")
    if job["state"] not in {"completed_with_errors", "failed"}:
        return
    for cause in api.get(f"{path}/failures")["items"]:
        hint = f" ({cause['hint']})" if cause["hint"] else ""
        note(f"  {cause['count']}: {clean_text(cause['message'])}{hint}")
    note(f"  → pressroom jobs retry {job['id']}")


@contextmanager
def telling_that_it_goes_on(job_id: str) -> Iterator[None]:
    """Whoever stops watching does not stop the job."""
    try:
        yield
    except KeyboardInterrupt:
        note(f"The job goes on. Watch it: pressroom jobs watch {job_id}")
        raise
