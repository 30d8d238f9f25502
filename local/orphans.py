"""Remembers which processes a stack runs, so that the next one can end those of a killed stack.

A number alone proves nothing, since numbers are given out again: a process is ours only if its
start time and its command line are those that were written down.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

import psutil

from local import secret_files

_PATIENCE = 10.0  # seconds from SIGTERM to SIGKILL
_CLOCK_STEP = 2.0  # seconds by which the clock may have been set since the start time was written


class _Mark(TypedDict):
    pid: int
    started: float
    command: list[str]


def remember(path: Path, pids: Iterable[int]) -> None:
    marks = [mark for pid in pids if (mark := _mark(pid)) is not None]
    secret_files.write(path, json.dumps(marks))


def end(path: Path) -> int:
    """Ends what is left of the processes in `path`; returns how many there were."""
    found = [process for mark in _marks(path) if (process := _find(mark)) is not None]
    for process in found:
        _signal(process, kill=False)
    _, stubborn = psutil.wait_procs(found, timeout=_PATIENCE)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=_PATIENCE)
    path.unlink(missing_ok=True)
    return len(found)


def _marks(path: Path) -> list[_Mark]:
    if not path.exists():
        return []
    marks: list[_Mark] = json.loads(path.read_text(encoding="utf-8"))
    return marks


def _mark(pid: int) -> _Mark | None:
    try:
        process = psutil.Process(pid)
        return _Mark(pid=pid, started=process.create_time(), command=process.cmdline())
    except psutil.NoSuchProcess:
        return None


def _find(mark: _Mark) -> psutil.Process | None:
    now = _mark(mark["pid"])
    if now is None or now["command"] != mark["command"]:
        return None
    if abs(now["started"] - mark["started"]) > _CLOCK_STEP:
        return None
    return psutil.Process(mark["pid"])


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return  # it ended by itself, which is what was wanted
