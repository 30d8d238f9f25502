"""What it costs to publish posts through some processes, measured from outside."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import psutil

from tests.servers.instant_postiz import Instant


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one run: `seconds` from the first request until all is published.

    `database_seconds`: the processor time of the database, which `cpu_seconds` contains.
    """

    posts: int
    seconds: float
    cpu_seconds: float
    counted_calls: int
    database_seconds: float = 0.0
    statements: int = 0
    transactions: int = 0

    def figures(self) -> dict[str, float]:
        found = {
            "posts a second": self.posts / self.seconds,
            "CPU ms a post": 1000 * self.cpu_seconds / self.posts,
            "counted calls": float(self.counted_calls),
        }
        if self.statements:
            found |= {
                "statements a post": self.statements / self.posts,
                "transactions a post": self.transactions / self.posts,
                "CPU of the database (%)": 100 * self.database_seconds / self.cpu_seconds,
            }
        return found


def with_children(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run, and all below them."""
    found = []
    for process in processes:
        try:
            found += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    return found


def cpu_of(processes: Iterable[psutil.Process]) -> dict[int, float]:
    """The processor time of each that still runs (seconds)."""
    used = {}
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used[process.pid] = times.user + times.system
    return used


def cpu_between(before: dict[int, float], after: dict[int, float]) -> float:
    return sum(used - before.get(pid, 0.0) for pid, used in after.items())


def measure_run(
    servers: Sequence[Instant],
    latency: float,
    posts: int,
    publish: Callable[[], None],
    *,
    family: Callable[[], list[psutil.Process]],
    database: Callable[[], list[psutil.Process]] = list,
) -> Cost:
    """`publish` returns once all `posts` are published. `database`: some of the `family`."""
    for server in servers:
        server.begin(latency)
    before, stored, began = cpu_of(family()), cpu_of(database()), time.monotonic()
    publish()
    seconds = time.monotonic() - began
    after, now_stored = cpu_of(family()), cpu_of(database())
    return Cost(
        posts=posts,
        seconds=seconds,
        cpu_seconds=cpu_between(before, after),
        database_seconds=cpu_between(stored, now_stored),
        counted_calls=sum(server.asked()["counted"] for server in servers),
    )
