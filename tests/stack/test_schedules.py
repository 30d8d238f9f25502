"""Two real beats, killed together, and two hundred schedules: each fire time has one run."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import requests

from local.child import ROOT
from local.sandbox.process import start_sandbox
from tests.servers.stacks import RunningStack
from tests.timing.patience import wait_until
from tests.timing.sandbox_timings import steady_timing

SCHEDULES = 200
#: The minute of a schedule, scaled down: cron with seconds, which the API does not take.
EVERY = 6
CRON = f"*/{EVERY} * * * * *"
KEY = "key-of-ticking"
BULK = {"items": [{"caption": "again"}], "integration_ids": ["int-a"]}


class Client:
    def __init__(self, stack: RunningStack) -> None:
        facts = stack.facts()
        self.url = f"{facts['web_url']}/api/v1"
        self.database_url = facts["database_url"]
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {facts['admin_key']}"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.session.request(method, self.url + path, json=body, timeout=120)
        assert reply.ok, reply.text
        return reply.json() if reply.content else None

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg2.connect(self.database_url) as connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def client(stack: RunningStack, tmp_path: Path) -> Iterator[Client]:
    """The profile `ticking`, whose account is paused: what its schedules accept is not sent."""
    made = Client(stack)
    with start_sandbox(tmp_path, timing=steady_timing(), seed=[]) as sandbox:
        channels = [{"id": "int-a", "name": "A", "identifier": "mastodon"}]
        sandbox.admin.create_org("ticking", keys=[KEY], integrations=channels)
        postiz = {"api_url": sandbox.api_url, "api_key": KEY}
        body = {"id": "ticking", "name": "T", "tts_settings": {"postiz": postiz}}
        profile = made.call("POST", "/profiles", body)
        made.call("POST", f"/accounts/{profile['account_id']}/pause")
        yield made
        made.call("DELETE", "/profiles/ticking?force=true")


def two_hundred(client: Client) -> None:
    body = {"name": "t", "cron": "* * * * *", "profile_id": "ticking", "bulk": BULK}
    first = client.call("POST", "/schedules", {**body, "enabled": False})
    names = "profile_id, name, timezone, kind, body, items, media_ids, misfire_grace_seconds"
    soon = time.time() // EVERY * EVERY + EVERY
    client.sql(
        f"INSERT INTO schedules ({names}, cron, next_fire_at) SELECT {names}, %s, to_timestamp(%s)"
        " FROM schedules, generate_series(1, %s) WHERE id = %s",
        CRON,
        soon,
        SCHEDULES,
        first["id"],
    )


@contextmanager
def second_beat(stack: RunningStack) -> Iterator["subprocess.Popen[bytes]"]:
    """From the command line of the first."""
    first = psutil.Process(stack.pids("beat")[0])
    quiet = subprocess.DEVNULL
    beat = subprocess.Popen(
        first.cmdline(), env=first.environ(), cwd=ROOT, stdout=quiet, stderr=quiet
    )
    try:
        yield beat
    finally:
        beat.kill()
        beat.wait()


def runs_per_fire_time(client: Client) -> list[int]:
    rows = client.sql("SELECT count(*) FROM schedule_runs GROUP BY fire_at ORDER BY fire_at")
    return [count for (count,) in rows]


def complete(client: Client) -> int:
    return sum(count == SCHEDULES for count in runs_per_fire_time(client))


def test_each_fire_time_runs_once_though_both_beats_are_killed(
    stack: RunningStack, client: Client
) -> None:
    two_hundred(client)
    with second_beat(stack) as beat:
        wait_until(lambda: complete(client) >= 1, lambda: str(runs_per_fire_time(client)))
        killed = [beat.pid, *stack.pids("beat")]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: stack.pids("beat") not in ([], killed[1:]), stack.output)
    with second_beat(stack):
        wait_until(lambda: complete(client) >= 3, lambda: str(runs_per_fire_time(client)))
    client.sql("UPDATE schedules SET next_fire_at = NULL")  # which waits for what is being fired
    _each_once(client)


def _each_once(client: Client) -> None:
    of_each = client.sql(
        "SELECT schedule_id, array_agg(extract(epoch FROM fire_at)::bigint ORDER BY fire_at)"
        " FROM schedule_runs GROUP BY schedule_id"
    )
    assert len(of_each) == SCHEDULES
    for _, times in of_each:
        assert {later - one for one, later in pairwise(times)} == {EVERY}
    [(runs, jobs)] = client.sql(
        "SELECT count(*), count(DISTINCT job_id) FILTER (WHERE state = 'started')"
        " FROM schedule_runs"
    )
    [(accepted,)] = client.sql("SELECT count(*) FROM jobs WHERE profile_id = 'ticking'")
    assert runs == jobs == accepted
