"""Ends whatever a process started, and what that started in turn, once the process is gone.

`kill -9` runs no `finally`. So a process of its own waits for the end of its starter, however it
comes, and finds what is left by a mark in the environment, which each process hands on to those
that it starts, into whatever group, session or user they go.

Process groups and sessions do not find all: PostgreSQL, Celery and Chromium leave them. The
kernel's signal at the death of a parent is lost with a change of user. `make up` has no guard,
because its stack may outlive its starter.
"""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

_ROOT = Path(__file__).resolve().parent.parent
MARKS = "PRESSROOM_STARTED_BY"  # of all that are guarded, the outermost first
_LOOK_SECONDS = 0.5
_PATIENCE = 15.0  # seconds from SIGTERM to SIGKILL


def start() -> None:
    """Guards what this process starts from now on.

    Under `make` this process is also told to stop once `make` is gone.
    """
    mark = secrets.token_hex(8)
    command = [sys.executable, "-m", "local.guard", mark, str(os.getpid())]
    if "MAKELEVEL" in os.environ:
        command += ["--as-long-as", str(os.getppid())]
    subprocess.Popen(
        command,
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.environ[MARKS] = ":".join([*_marks(os.environ.get(MARKS, "")), mark])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.guard", description=__doc__)
    parser.add_argument("mark")
    parser.add_argument("starter", type=int)
    parser.add_argument("--as-long-as", type=int, metavar="PID")
    asked = parser.parse_args()
    _wait_for_end(asked.starter, asked.as_long_as)
    _end(asked.mark)


def _wait_for_end(starter: int, other: int | None) -> None:
    """Whose parent is gone has another one: no number that is given out again can deceive it."""
    told = False
    while os.getppid() == starter:
        if other is not None and not told and _parent(starter) != other:
            os.kill(starter, signal.SIGTERM)
            told = True
        time.sleep(_LOOK_SECONDS)


def _parent(pid: int) -> int | None:
    try:
        return psutil.Process(pid).ppid()
    except psutil.NoSuchProcess:
        return None


def _end(mark: str) -> None:
    """Asks each once, and kills what is still there, or has come since, when the time is over."""
    asked: set[psutil.Process] = set()
    deadline = time.monotonic() + _PATIENCE
    while found := _left_by(mark):
        is_over = time.monotonic() > deadline
        for process in found:
            if is_over or process not in asked:
                _signal(process, kill=is_over)
        asked.update(found)
        time.sleep(_LOOK_SECONDS)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return


def _left_by(mark: str) -> set[psutil.Process]:
    """With what they started: a program may write its title over its environment."""
    found = set(_marked(mark))
    for process in list(found):
        with suppress(psutil.NoSuchProcess):
            found.update(process.children(recursive=True))
    return found


def _marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if mark in _marks(process.environ().get(MARKS, "")):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # gone, or of somebody else


def _marks(text: str) -> list[str]:
    return text.split(":") if text else []


if __name__ == "__main__":
    main()
