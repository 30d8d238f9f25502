"""Starts a service as a child with a process group of its own, and ends that group to the last."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from local.service import Service

ROOT = Path(__file__).resolve().parent.parent


class Child:
    """One running service."""

    def __init__(self, service: Service, log: Path) -> None:
        self.service = service
        self.log = log
        self.started_at = time.monotonic()
        service.prepare()
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                service.command,
                env=service.environ,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def pids(self) -> list[int]:
        """The main process first, then, where stack.json lists them, its children."""
        if not self.service.lists_children:
            return [self.pid]
        return [self.pid, *sorted(_list_descendants(self.pid))]

    def has_ended(self) -> bool:
        """Looks without reaping: until `bury`, no other process can be given its number."""
        if self._process.returncode is not None:
            return True
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, options) is not None

    def ask_to_stop(self) -> None:
        if not self.has_ended():
            self._process.send_signal(self.service.stop_signal)

    def bury(self) -> int:
        """Ends whatever is left of the group; returns the exit status as subprocess gives it."""
        if self._process.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()


def _list_descendants(pid: int) -> list[int]:
    """Linux says which they are; elsewhere all processes of the machine have to be looked at."""
    threads = Path(f"/proc/{pid}/task")
    if not (threads / str(pid) / "children").exists():
        with suppress(psutil.NoSuchProcess):  # it ended at this moment: the next look says so
            return [child.pid for child in psutil.Process(pid).children(recursive=True)]
        return []
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in threads.iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found + [below for child in found for below in _list_descendants(child)]


def stop(children: Sequence[Child]) -> None:
    """Asks all of them at once, then gives each its time before it is killed."""
    asked_at = time.monotonic()
    for child in children:
        child.ask_to_stop()
    for child in children:
        while not child.has_ended() and time.monotonic() - asked_at < child.service.patience:
            time.sleep(0.05)
        child.bury()
