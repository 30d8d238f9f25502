"""The arena: a sandbox Postiz and a whole stack, and the ways to look at both."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from local.child import ROOT
from local.sandbox.process import Admin, start_sandbox
from shared.config import read_settings
from shared.db import Database
from tests.chaos.options import TIMING, Options
from tests.servers.certificates import Authority
from tests.servers.connect_proxy import ConnectProxy, TlsFront
from tests.servers.stacks import RunningStack

#: Where Python finds the control arm's mutation of the workers, and the short pauses of the others.
CARELESS, BRIEF = Path(__file__).parent / "careless", Path(__file__).parent / "brief"
#: Nobody listens there: a process that heeds the environment's proxy reaches nothing.
DEAD_PROXY = "http://127.0.0.1:9"


@dataclass
class Arena:
    options: Options
    stack: RunningStack
    sandbox: Admin
    api_url: str  # as a teammate has it
    postiz_url: str  # as profiles have it
    proxy: ConnectProxy | None
    authority: Authority | None
    closing: ExitStack  # at the end
    database: Database
    began: float = field(default_factory=time.time)

    def way_to(self, url: str) -> str:
        """To a server of the test's: over TLS where a proxy is in the way."""
        if self.authority is None:
            return url
        front = self.closing.enter_context(TlsFront(url, self.authority))
        return front.url + urlsplit(url).path

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
    with ExitStack() as closing:
        sandbox = closing.enter_context(
            start_sandbox(folder / "sandbox", timing=TIMING, seed=[], random_seed=options.seed)
        )
        settings = options.settings
        changed = CARELESS if options.careless else BRIEF
        settings["PYTHONPATH"] = os.pathsep.join([str(changed), str(ROOT)])
        postiz_url, proxy, authority = sandbox.api_url, None, None
        if options.proxy:
            authority = Authority.create(folder / "authority")
            proxy = closing.enter_context(ConnectProxy())
            front = closing.enter_context(TlsFront(sandbox.url, authority))
            postiz_url = sandbox.api_url.replace(sandbox.url, front.url)
            settings |= _through(proxy, authority)
        stack = closing.enter_context(RunningStack(folder / "home", **settings))
        url = stack.facts()["database_url"]
        database = Database.connect(read_settings({"DATABASE_URL": url}))
        closing.callback(database.close)
        yield Arena(
            options=options,
            stack=stack,
            sandbox=sandbox.admin,
            api_url=sandbox.api_url,
            postiz_url=postiz_url,
            proxy=proxy,
            authority=authority,
            closing=closing,
            database=database,
        )


def _through(proxy: ConnectProxy, authority: Authority) -> dict[str, str]:
    """By its own setting; those of the environment lead nowhere."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return {
        **{each: DEAD_PROXY for name in names for each in (name, name.lower())},
        "PRESSROOM_PROXY_URL": proxy.url,
        "PRESSROOM_CA_FILE": str(authority.file),
    }
