"""A stack that has nothing to do, and what it costs: statements, processor and memory."""

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

import psutil
import psycopg2

from tests.servers.stacks import RunningStack

#: What PostgreSQL logs of a statement, without those that only frame others.
_STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]*): (?!BEGIN|COMMIT|ROLLBACK|SET )")
_MIB = 1024**2


@dataclass
class Share:
    """What all processes of a kind use: seconds of processor a second, and MiB that they share with
    nobody else or their part of what they share."""

    processes: int = 0
    processor: float = 0.0
    memory: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    statements: float  # a second
    rounds: int  # how many beat sent
    shares: dict[str, Share]

    @property
    def total(self) -> Share:
        return Share(
            processes=sum(share.processes for share in self.shares.values()),
            processor=sum(share.processor for share in self.shares.values()),
            memory=sum(share.memory for share in self.shares.values()),
        )

    def __str__(self) -> str:
        rows = sorted(self.shares.items(), key=lambda item: -item[1].processor)
        lines = [
            f"{kind:24}{share.processes:4}{share.processor:10.2%}{share.memory:8.0f} MiB"
            for kind, share in [*rows, ("all", self.total)]
        ]
        return "\n".join([*lines, f"{self.statements:.1f} statements a second"])


def measure_idle(stack: RunningStack, seconds: float) -> Cost:
    """What the stack uses within so many seconds."""
    with _statements_logged(stack):
        family = {process: _kind_of(process, stack) for process in stack.family()}
        log, beat_log = stack.log("postgres"), stack.log("beat")
        began, before = time.monotonic(), _read_use(family)
        time.sleep(seconds)
        took, after = time.monotonic() - began, _read_use(family)
        logged, beat = stack.log("postgres")[len(log) :], stack.log("beat")[len(beat_log) :]
    shares: dict[str, Share] = {}
    for process, kind in family.items():
        if process in before and process in after:
            share = shares.setdefault(kind, Share())
            share.processes += 1
            share.processor += (after[process][0] - before[process][0]) / took
            share.memory += after[process][1]
    rounds = Counter(re.findall(r"Sending due task (\w+)", beat))
    return Cost(
        statements=len(_STATEMENT.findall(logged)) / took,
        rounds=sum(rounds[name] for name in ("tick", "sweep", "schedules")),
        shares=shares,
    )


@contextmanager
def _statements_logged(stack: RunningStack) -> Iterator[None]:
    with closing(psycopg2.connect(stack.facts()["database_url"])) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET log_statement = 'all'")
            cursor.execute("SELECT pg_reload_conf()")
            time.sleep(1)  # until all backends have heard of it
            yield
            cursor.execute("ALTER SYSTEM RESET log_statement")
            cursor.execute("SELECT pg_reload_conf()")


def _read_use(processes: Iterable[psutil.Process]) -> dict[psutil.Process, tuple[float, float]]:
    """Of those that are still there: seconds of processor since they began, and MiB."""
    found = {}
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            memory = process.memory_full_info().pss / _MIB
            found[process] = times.user + times.system, memory
    return found


def _kind_of(process: psutil.Process, stack: RunningStack) -> str:
    """Its role in stack.json; of PostgreSQL, what it calls itself."""
    if process.pid == stack.supervisor.pid:
        return "supervisor"
    words = " ".join(process.cmdline())
    if found := re.match(r"postgres: (\w+ ?\w*)", words):
        return "PostgreSQL backend" if found[1].startswith("pressroom") else "PostgreSQL itself"
    roles = stack.facts()["processes"].items()
    role = next((role for role, pids in roles if process.pid in pids), "others")
    if role != "worker":
        return role
    pool = re.search(r"-n (\w+)@", words)
    is_main = process.ppid() == stack.supervisor.pid
    return f"worker {pool[1] if pool else ''} {'main' if is_main else 'children'}"
