"""What a hit in the cache of publishers costs, and how soon idle processes drop a changed one."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import redis

from local.child import ROOT
from local.sandbox.process import SandboxProcess, start_sandbox
from shared.profiles import invalidation, profile_settings
from tests.bench.record import Record
from tests.factories.profiles import make_profile
from tests.servers.settings import SECRET_KEY
from tests.timing.sandbox_timings import steady_timing
from tests.workers.cache_child import PLAIN
from tests.workers.runtimes import make_runtime
from tests.workers.world import World

KEY = "key-of-acme"
CHANGES, HITS = 20, 50_000
PROCESSES = (1, 8, 32)
OURS, LAST = "pressroom", "ms to the last"


class Child:
    """One process; `ask` sends a line and returns the answer."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.workers.cache_child"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, line: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.read()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path / "sandbox", timing=steady_timing(), seed=[]) as running:
        running.admin.create_org("acme", keys=[KEY])
        yield running


@pytest.fixture
def world(sandbox: SandboxProcess, database_url: str, tmp_path: Path) -> Iterator[World]:
    runtime = make_runtime(database_url, tmp_path)
    world = World(runtime=runtime, sandbox=sandbox.admin, api_url=sandbox.api_url)
    make_profile(world, "acme", key=KEY)
    yield world
    runtime.close()


@pytest.fixture
def environ(database_url: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PRESSROOM_SECRET_KEYS": SECRET_KEY,
        "PRESSROOM_MEDIA_URL": f"file://{tmp_path}/media",
        "PRESSROOM_ALLOW_PRIVATE_URLS": "1",
    }


def version(world: World) -> int:
    with world.database.transaction() as session:
        return profile_settings.load_profile(session, "acme").settings_version


def change(world: World) -> int:
    """Another version, committed."""
    with world.database.transaction() as session:
        profile = profile_settings.load_profile(session, "acme", lock=True)
        profile_settings.bump_version(profile)
    return version(world)


@pytest.mark.timeout(600)
def test_idle_processes_drop_a_changed_publisher_at_once(
    world: World, environ: dict[str, str], redis_url: str, record: Record
) -> None:
    for nanoseconds in measure_hits(world):
        record.add_round("a hit", OURS, {"ns": nanoseconds})
    with ExitStack() as opened:
        children: list[Child] = []
        client = opened.enter_context(closing(invalidation.connect_broker(redis_url)))
        for count in PROCESSES:
            started = [Child(environ) for _ in range(count - len(children))]
            for child in started:
                opened.callback(child.close)
                assert child.read() == "ready"
            children += started
            warm_up(world, started)
            for _ in range(CHANGES):
                measure_change(world, children, client, record)
        for child in children:
            assert child.ask("reset").startswith("dropped ")
            assert child.ask("len") == "len 0"
    most = record.median(case(1), LAST, OURS)
    assert most < 500  # the figure is printed; this only tells broken from working


def measure_hits(world: World) -> Iterator[float]:
    """Nanoseconds of each, without a question to the database."""
    publishers, now = world.runtime.publishers, version(world)
    publishers.get("acme", now)
    for _ in range(5):
        began = time.perf_counter_ns()
        for _ in range(HITS):
            publishers.get("acme", now, ask=False)
        yield (time.perf_counter_ns() - began) / HITS
    assert publishers.builds == 1


def warm_up(world: World, children: list[Child]) -> None:
    now = version(world)
    for child in children:
        assert child.ask(f"get acme {now}") == "builds 1"  # eight threads, one build
        assert child.ask(f"get acme {now}") == "builds 1"


def measure_change(
    world: World, children: list[Child], client: redis.Redis, record: Record
) -> None:
    """From the message to the last process that has dropped the publisher, or heard a plain one."""
    now = change(world)
    sent = time.time()
    assert invalidation.broadcast_invalidation(client, "acme", now)
    dropped = [float(child.read().removeprefix("dropped ")) - sent for child in children]
    for child in children:
        assert child.ask("len") == "len 0"
        assert child.ask(f"fill acme {now}") == "filled"
    sent = time.time()
    client.publish(PLAIN, "changed")
    heard = [float(child.read().removeprefix("heard ")) - sent for child in children]
    for name, delays in ((OURS, dropped), ("plain publish", heard)):
        record.add_round(case(len(children)), name, {LAST: 1000 * max(delays)})


def case(count: int) -> str:
    return f"{count} {'process' if count == 1 else 'processes'}"
