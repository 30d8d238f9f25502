"""Bars for what is under way, on a terminal; else a line for each clip that has arrived."""

import threading
from types import TracebackType

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from cli.output import clean_text, note, notes, shorten


class Display:
    """Thread-safe. `what`: is done to them all, as "Uploading"; `total`: bytes in all."""

    def __init__(self, what: str, total: int) -> None:
        console = notes()
        self._is_terminal = console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),  # names have brackets
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            disable=not self._is_terminal,
            transient=True,
        )
        self._all = self._progress.add_task(what, total=total)
        self._lock = threading.Lock()
        self._done_before: dict[TaskID, int] = {}

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def begin(self, name: str, size: int) -> TaskID:
        return self._progress.add_task(f"  {clean_text(shorten(name, 40))}", total=size)

    def note_done(self, task: TaskID, done: int) -> None:
        """`done`: bytes of this one so far."""
        with self._lock:
            self._progress.advance(self._all, done - self._done_before.get(task, 0))
            self._done_before[task] = done
        self._progress.update(task, completed=done)

    def advance(self, size: int) -> None:
        self._progress.advance(self._all, size)

    def end(self, task: TaskID, line: str) -> None:
        self._progress.remove_task(task)
        if self._is_terminal:
            self._progress.console.print(clean_text(line), markup=False)
        else:
            note(line)
