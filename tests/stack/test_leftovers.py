"""A test run, or a demo, that is killed leaves nothing running: neither servers nor a stack."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from local.child import ROOT
from tests.servers.stacks import ask_each, still_running
from tests.timing.patience import PATIENCE, wait_until

#: A test that starts servers, says which process it runs in, and hangs.
HANGING = """
import os, pathlib, time
from local.ports import free_port
from local.postgres import Postgres
from tests.servers.embedded import running

def test_hanging(valkey_server, tmp_path):
    server = Postgres(folder=tmp_path / "postgres", port=free_port(), durable=False)
    with running(server.service(), tmp_path / "log"):
        pathlib.Path(os.environ["TELL"]).write_text(str(os.getpid()))
        time.sleep(600)
"""
PROGRAMS = {"postgres", "valkey-server"}


class Run:
    """Somebody's command, and all that it starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "log"
        self._family: list[psutil.Process] = []

    def start(self, *command: str) -> None:
        environ = {**os.environ, "TELL": str(self.folder / "told"), "TMPDIR": str(self.folder)}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)

    def names(self) -> set[str]:
        """Of what runs below it by now."""
        self._family = psutil.Process(self.process.pid).children(recursive=True)
        return set(ask_each(still_running(self._family), psutil.Process.name))

    def told(self) -> int | None:
        """The process that runs the hanging test, once it does."""
        path = self.folder / "told"
        return int(path.read_text()) if path.exists() and path.read_text() else None

    def wait_until_gone(self) -> None:
        wait_until(lambda: self.rest() == [], lambda: str(self.rest()))

    def rest(self) -> list[psutil.Process]:
        return still_running(self._family)

    def log(self) -> str:
        return self._log.read_text()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    for process in made.rest():
        process.kill()
    made.process.kill()
    made.process.wait(timeout=PATIENCE)


def pytest_command(run: Run, *options: str) -> Sequence[str]:
    test = run.folder / "test_hanging.py"
    test.write_text(HANGING)
    plugins = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    return [sys.executable, "-m", "pytest", *plugins, *options, str(test)]


def wait_until_hanging(run: Run) -> int:
    wait_until(lambda: run.told() is not None, run.log)
    assert run.names() >= PROGRAMS
    pid = run.told()
    assert pid is not None
    return pid


def test_killed_pytest_leaves_no_servers(run: Run) -> None:
    run.start(*pytest_command(run))
    assert wait_until_hanging(run) == run.process.pid
    run.process.kill()
    run.wait_until_gone()


def test_killed_worker_of_pytest_leaves_no_servers(run: Run) -> None:
    run.start(*pytest_command(run, "-n", "1"))
    worker = wait_until_hanging(run)
    assert worker != run.process.pid
    os.kill(worker, signal.SIGKILL)
    run.wait_until_gone()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is missing: apt-get install make")
def test_killed_make_takes_its_test_run_along(run: Run) -> None:
    makefile = run.folder / "Makefile"
    makefile.write_text("go:\n\t@" + " ".join(pytest_command(run)) + "\n")
    run.start("make", "-f", str(makefile), "go")
    wait_until_hanging(run)
    run.process.kill()
    run.wait_until_gone()


def test_killed_demo_leaves_no_stack(run: Run) -> None:
    run.start(sys.executable, "-m", "local", "demo")
    wait_until(lambda: (run.names() & PROGRAMS) == PROGRAMS, run.log)
    run.process.kill()
    run.wait_until_gone()
