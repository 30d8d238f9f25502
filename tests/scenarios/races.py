"""Posts through Pressroom and through the naive shape, with the same number of children, and costs.

Costs are those of all processes that the one or the other needs, its database and broker included.
Pressroom's idle processes run beside the naive shape, and cost it a few percent.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import requests

from local.child import ROOT
from local.ports import free_port
from local.postgres import Postgres
from local.valkey import Valkey
from tests.servers.embedded import running
from tests.servers.instant_postiz import Instant
from tests.servers.stacks import RunningStack
from tests.timing.patience import wait_until
from tests.workers import naive_tasks

CHILDREN = 3
PACE_OFF = {"PRESSROOM_WRITES_PER_SECOND": "10000", "PRESSROOM_SETTLE_SECONDS": "0"}
PUBLISHED = "SELECT count(*) FROM posts WHERE state = 'published' AND profile_id IN ({})"
#: Statements and transactions of all processes, also of those that only look for work.
WORK = """
SELECT coalesce(sum(calls) FILTER (WHERE query NOT IN ('BEGIN', 'COMMIT', 'ROLLBACK')), 0)::int,
       coalesce(sum(calls) FILTER (WHERE query IN ('COMMIT', 'ROLLBACK')), 0)::int
FROM pg_stat_statements
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one run: `seconds` from the first request until all is published."""

    posts: int
    seconds: float
    cpu_seconds: float
    counted_calls: int
    statements: int = 0
    transactions: int = 0

    def figures(self) -> dict[str, float]:
        return {
            "posts a second": self.posts / self.seconds,
            "CPU ms a post": 1000 * self.cpu_seconds / self.posts,
            "counted calls": self.counted_calls,
            "statements a post": self.statements / self.posts,
            "transactions a post": self.transactions / self.posts,
        }


def cpu_of(processes: Sequence[psutil.Process]) -> dict[int, float]:
    """The processor time of each that still runs (seconds)."""
    used = {}
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used[process.pid] = times.user + times.system
    return used


def _measure(
    servers: Sequence[Instant],
    latency: float,
    family: Callable[[], list[psutil.Process]],
    publish: Callable[[], int],
) -> Cost:
    for server in servers:
        server.begin(latency)
    before, began = cpu_of(family()), time.monotonic()
    posts = publish()
    seconds = time.monotonic() - began
    after = cpu_of(family())
    calls = sum(server.asked()["counted"] for server in servers)
    cpu = sum(used - before.get(pid, 0.0) for pid, used in after.items())
    return Cost(posts=posts, seconds=seconds, cpu_seconds=cpu, counted_calls=calls)


@dataclass(frozen=True)
class Naive:
    """A worker of the naive shape with its broker."""

    processes: list[psutil.Process]

    def run(self, servers: Sequence[Instant], posts: int, latency: float) -> Cost:
        def publish() -> int:
            for number in range(posts):
                server = servers[number % len(servers)]
                naive_tasks.publish.delay(server.api_url, f"post {number}")
            wait_until(lambda: sum(s.asked()["counted"] for s in servers) == posts)
            return posts

        return _measure(servers, latency, lambda: self.processes, publish)


@contextmanager
def naive(folder: Path) -> Iterator[Naive]:
    valkey = Valkey(folder=folder / "valkey", port=free_port())
    valkey.folder.mkdir(parents=True)
    with running(valkey.service(), folder / "valkey.log") as broker:
        environ = {**os.environ, naive_tasks.BROKER: valkey.url()}
        naive_tasks.app.conf.broker_url = valkey.url()
        command = [sys.executable, *naive_tasks.COMMAND, "--concurrency", str(CHILDREN)]
        with subprocess.Popen(command, cwd=ROOT, env=environ) as worker:
            parent = psutil.Process(worker.pid)
            wait_until(lambda: len(parent.children(recursive=True)) >= CHILDREN)
            own = [psutil.Process(), psutil.Process(broker.pid), parent]
            yield Naive([*own, *parent.children(recursive=True)])
            worker.terminate()


class Pressroom:
    """A stack with a profile for each server."""

    def __init__(self, stack: RunningStack, servers: Sequence[Instant]) -> None:
        self._stack = stack
        self._facts = stack.facts()
        self._names = {server.url: f"profile-{number}" for number, server in enumerate(servers)}
        for server in servers:
            postiz = {"api_url": server.api_url, "api_key": f"key-{self._names[server.url]}"}
            name = self._names[server.url]
            body = {"id": name, "name": name, "tts_settings": {"postiz": postiz}}
            self._call(name, "/profiles", body)

    def run(self, servers: Sequence[Instant], posts: int, latency: float) -> Cost:
        with closing(psycopg2.connect(self._facts["database_url"])) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                return self._run(servers, posts, latency, cursor)

    def accept(self, server: Instant, posts: int) -> None:
        """A bulk of so many posts, to be published as soon as possible."""
        items = [{"caption": f"post {number}"} for number in range(posts)]
        more = {"integration_ids": ["int-one"], "schedule_interval_minutes": 0}
        self._call(self._names[server.url], "/postiz/bulk-publish", {"items": items, **more})

    def _run(self, servers: Sequence[Instant], posts: int, latency: float, cursor: Any) -> Cost:
        def read(query: str) -> tuple[int, ...]:
            cursor.execute(query)
            row: tuple[int, ...] = cursor.fetchone()
            return row

        names = [self._names[server.url] for server in servers]
        query = PUBLISHED.format(", ".join(f"'{name}'" for name in names))
        [published] = read(query)

        def publish() -> int:
            for server in servers:
                self.accept(server, posts // len(servers))
            wait_until(lambda: read(query)[0] == published + posts)
            return posts

        read("SELECT 1 FROM pg_stat_statements_reset()")
        cost = _measure(servers, latency, self._stack.family, publish)
        statements, transactions = read(WORK)
        return Cost(**{**vars(cost), "statements": statements, "transactions": transactions})

    def _call(self, profile: str, path: str, body: Any) -> None:
        headers = {"Authorization": f"Bearer {self._facts['admin_key']}", "X-Profile-Id": profile}
        url = f"{self._facts['web_url']}/api/v1{path}"
        requests.post(url, json=body, headers=headers, timeout=120).raise_for_status()


@contextmanager
def pressroom(
    folder: Path, servers: Sequence[Instant], *, children: int = CHILDREN, **settings: str
) -> Iterator[Pressroom]:
    """Without a pace and a settle time, unless `settings` say so."""
    fixed = {"PRESSROOM_SANDBOX": "0", "PRESSROOM_CONCURRENCY": str(children)}
    _make_counting_database(folder / "home" / "postgres")
    with RunningStack(folder / "home", **{**fixed, **PACE_OFF, **settings}) as stack:
        _execute(stack.facts()["database_url"], "CREATE EXTENSION pg_stat_statements")
        yield Pressroom(stack, servers)


def _make_counting_database(folder: Path) -> None:
    """PostgreSQL counts statements only from its start on, so it is set before the stack starts."""
    folder.parent.mkdir(mode=0o700, parents=True)
    server = Postgres(folder=folder, port=free_port())
    with running(server.service(), folder.with_suffix(".log")):
        for setting in (
            "shared_preload_libraries = 'pg_stat_statements'",
            "pg_stat_statements.track_utility = on",
        ):
            _execute(server.url("postgres"), f"ALTER SYSTEM SET {setting}")


def _execute(url: str, statement: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
