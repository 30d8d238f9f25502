"""Runs a single embedded server for as long as a test needs it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.child import ROOT, Child, stop
from local.logs import last_lines
from local.service import Service
from tests.timing.patience import PATIENCE


@contextmanager
def running(service: Service, log: Path) -> Iterator[Child]:
    child = Child(service, log)
    try:
        wait_until_healthy(child)
        yield child
    finally:
        stop([child])


def wait_until_healthy(child: Child) -> None:
    deadline = time.monotonic() + PATIENCE
    while not child.service.healthy():
        alive = not child.has_ended() and time.monotonic() < deadline
        assert alive, f"{child.service.name} did not start:\n{last_lines(child.log)}"
        time.sleep(0.05)


def migrate(database_url: str) -> None:
    if not (ROOT / "shared" / "migrate.py").exists():
        return
    command = [sys.executable, "-m", "shared.migrate"]
    environ = {**os.environ, "DATABASE_URL": database_url}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
