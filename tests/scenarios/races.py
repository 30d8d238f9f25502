"""Posts through Pressroom, and what that costs all of its processes, from web to the database."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import requests

from local.ports import free_port
from local.postgres import Postgres
from tests.scenarios.race_costs import Cost, measure_run, with_children
from tests.servers.embedded import running
from tests.servers.instant_postiz import Instant
from tests.servers.stacks import RunningStack
from tests.timing.patience import wait_until

CHILDREN = 3
PACE_OFF = {"PRESSROOM_WRITES_PER_SECOND": "10000", "PRESSROOM_SETTLE_SECONDS": "0"}
PUBLISHED = "SELECT count(*) FROM posts WHERE id > {} AND state = 'published'"
#: Statements and transactions of all processes, also of those that only look for work.
WORK = """
SELECT coalesce(sum(calls) FILTER (WHERE query NOT IN ('BEGIN', 'COMMIT', 'ROLLBACK')), 0)::int,
       coalesce(sum(calls) FILTER (WHERE query IN ('COMMIT', 'ROLLBACK')), 0)::int
FROM pg_stat_statements
"""


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

    def accept_at(self, server: Instant, times: Mapping[str, datetime]) -> None:
        """A bulk of posts, each by its caption with its time."""
        items = [
            {"caption": caption, "schedule_date": moment.isoformat()}
            for caption, moment in times.items()
        ]
        body = {"items": items, "integration_ids": ["int-one"]}
        self._call(self._names[server.url], "/postiz/bulk-publish", body)

    def _run(self, servers: Sequence[Instant], posts: int, latency: float, cursor: Any) -> Cost:
        def read(query: str) -> tuple[int, ...]:
            cursor.execute(query)
            row: tuple[int, ...] = cursor.fetchone()
            return row

        [newest] = read("SELECT coalesce(max(id), 0) FROM posts")
        query = PUBLISHED.format(newest)

        def publish() -> None:
            for server in servers:
                self.accept(server, posts // len(servers))
            wait_until(lambda: read(query)[0] >= posts)

        def database() -> list[psutil.Process]:
            return with_children(psutil.Process(pid) for pid in self._stack.pids("postgres"))

        read("SELECT 1 FROM pg_stat_statements_reset()")
        family = self._stack.family
        cost = measure_run(servers, latency, posts, publish, family=family, database=database)
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
