"""Runs `python -m local up` as its users do, and reads what it says and writes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg2
import requests

from local.child import ROOT
from tests.timing.patience import PATIENCE, wait_until
from tests.timing.sandbox_timings import steady_timing

Answer = TypeVar("Answer")

_SETTINGS = {
    "PRESSROOM_PORT": "0",
    "PRESSROOM_FLOWER_PORT": "0",
    "PRESSROOM_FLOWER": "0",  # tests of what it shows switch it on
    "PRESSROOM_SETTLE_SECONDS": "1",
    "PRESSROOM_UNKNOWN_RELEASE_SECONDS": "8",
    "PRESSROOM_WRITES_PER_SECOND": "50",
    "PRESSROOM_ERROR_FINAL_SECONDS": "5",
    "PRESSROOM_OUTCOME_UNKNOWN_SECONDS": "20",
    "PRESSROOM_CALL_TIMEOUT_SECONDS": "5",
    "PRESSROOM_SANDBOX_TIMING": json.dumps(asdict(steady_timing())),
}


class RunningStack:
    """A stack in `home`, with every port free-chosen and every time short."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.environ = {**os.environ, **_SETTINGS, "PRESSROOM_HOME": str(home), **settings}
        self._output = home.with_name(f"{home.name}.output")

    def __enter__(self) -> "RunningStack":
        self.start()
        self.wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        if self.supervisor.poll() != 0:
            self.command("down")

    def start(self) -> None:
        with self._output.open("wb") as output:
            self.supervisor = subprocess.Popen(
                [sys.executable, "-m", "local", "up"],
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.supervisor.poll() is None, self.output()
            return any(line.startswith("ready") for line in self.output().splitlines())

        wait_until(ready, self.output)

    def output(self) -> str:
        return self._output.read_text()

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.home / "stack.json").read_text())
        return facts

    def pids(self, role: str | None = None) -> list[int]:
        processes = self.facts()["processes"]
        return processes[role] if role else [pid for pids in processes.values() for pid in pids]

    def command(self, word: str) -> "subprocess.CompletedProcess[str]":
        """`up` or `down`, from another terminal."""
        return subprocess.run(
            [sys.executable, "-m", "local", word],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.facts()['web_url']}/health/ready", timeout=60).ok
        except requests.RequestException:
            return False

    def log(self, name: str) -> str:
        return (self.home / "logs" / f"{name}.log").read_text()

    def longest_lease(self) -> float:
        """Of any account or post: how far ahead its lease reaches, in seconds."""
        url = self.facts()["database_url"]
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT coalesce(max(extract(epoch FROM lease_until - now())), 0) FROM (SELECT"
                " lease_until FROM accounts UNION ALL SELECT lease_until FROM posts) AS leases"
            )
            row = cursor.fetchone()
        assert row is not None
        return float(row[0])

    def family(self) -> list[psutil.Process]:
        """The supervisor and everything below it, listed in stack.json or not."""
        parent = psutil.Process(self.supervisor.pid)
        return [parent, *parent.children(recursive=True)]


@contextmanager
def starting_stacks() -> Iterator[Callable[..., RunningStack]]:
    """Gives what starts a stack: `start(home, PRESSROOM_SANDBOX="0")`; at the end all are ended."""
    with ExitStack() as started:

        def start(home: Path, **settings: str) -> RunningStack:
            return started.enter_context(RunningStack(home, **settings))

        yield start


def ask_each(
    processes: Iterable[psutil.Process], question: Callable[[psutil.Process], Answer]
) -> list[Answer]:
    """What those answer that have not ended meanwhile: a server's children come and go."""
    answers = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            answers.append(question(process))
    return answers


def still_running(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and not _is_zombie(process)]


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
