"""The arena: a sandbox Postiz and a whole stack, and the ways to look at both."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from local.child import ROOT
from local.sandbox.process import Admin, start_sandbox
from shared.config import read_settings
from shared.db import Database
from tests.chaos.options import TIMING, Options
from tests.stacks import RunningStack

#: Where Python finds the control arm's mutation of the workers.
CARELESS = Path(__file__).parent / "careless"


@dataclass
class Arena:
    options: Options
    stack: RunningStack
    sandbox: Admin
    api_url: str
    database: Database
    began: float = field(default_factory=time.time)

    def facts(self) -> dict[str, Any]:
        """What stack.json says; read again when it was just being written."""
        for _ in range(20):
            try:
                return self.stack.facts()
            except (OSError, json.JSONDecodeError):
                time.sleep(0.1)
        return self.stack.facts()

    def pids(self, role: str) -> list[int]:
        """By a role of stack.json, or `worker-main`, `worker-child`, `web-child`."""
        name, _, part = role.partition("-")
        found = list(self.facts()["processes"].get(name, []))
        if not part:
            return found
        mains = {pid for pid in found if _parent(pid) == self.stack.supervisor.pid}
        return [pid for pid in found if (pid in mains) == (part == "main")]

    def ledger(self, kind: str) -> list[dict[str, Any]]:
        """All entries of a kind, in pages."""
        rows: list[dict[str, Any]] = []
        while page := self.sandbox.ledger(
            kind=kind, since=rows[-1]["seq"] if rows else 0, limit=5000
        ):
            rows += page
        return rows

    def failpoints_hit(self) -> list[str]:
        logs = (self.stack.home / "logs").glob("worker-*.log*")
        lines = (line for log in logs for line in log.read_text(errors="replace").splitlines())
        return [line.split()[1] for line in lines if line.startswith("failpoint ")]


def _parent(pid: int) -> int | None:
    try:
        return psutil.Process(pid).ppid()
    except psutil.NoSuchProcess:
        return None


@contextmanager
def arena(options: Options, folder: Path) -> Iterator[Arena]:
    """Start both, and stop both."""
    settings = options.settings
    if options.careless:
        settings["PYTHONPATH"] = os.pathsep.join([str(CARELESS), str(ROOT)])
    with (
        start_sandbox(
            folder / "sandbox", timing=TIMING, seed=[], random_seed=options.seed
        ) as sandbox,
        RunningStack(folder / "home", **settings) as stack,
    ):
        url = stack.facts()["database_url"]
        database = Database.connect(read_settings({"DATABASE_URL": url}))
        yield Arena(options, stack, sandbox.admin, sandbox.api_url, database)
        database.close()
