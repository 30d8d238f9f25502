"""Posts through the naive shape (tests/workers/naive) on the queues there are, with their costs.

Each queue has as many processes as Pressroom has children, each of which makes one call at a time.
Costs are those of all its processes: producer, workers, and a broker of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.child import ROOT
from local.ports import free_port
from local.postgres import Postgres
from local.valkey import Valkey
from tests.scenarios.race_costs import Cost, measure_run, with_children
from tests.servers.embedded import running
from tests.servers.instant_postiz import Instant
from tests.timing.patience import wait_until

#: Names the Python of an environment with tests/bench/requirements.txt; of ours, where it is not
#: set.
PYTHON = "PRESSROOM_BENCH_PYTHON"
_TASKS = "tests.workers.naive"
#: How each queue's workers are started, with `{children}` processes on the broker `{url}`.
_WORKERS: Mapping[str, str] = {
    "celery": f"-m celery -A {_TASKS}.celery_tasks worker --loglevel ERROR"
    " --concurrency {children}",
    "dramatiq": f"-m dramatiq {_TASKS}.dramatiq_tasks --processes {{children}} --threads 1",
    "rq": "-m rq.cli worker-pool --url {url} --num-workers {children} --quiet"
    " --worker-class rq.worker.SimpleWorker",
    "huey": f"-m huey.bin.huey_consumer {_TASKS}.huey_tasks.queue --workers {{children}}"
    " --worker-type process --quiet",
    "taskiq": f"-m taskiq worker {_TASKS}.taskiq_tasks:broker --workers {{children}}"
    " --max-async-tasks 1 --max-threadpool-threads 1 --log-level ERROR",
    "saq": f"-m saq {_TASKS}.saq_tasks.settings --workers {{children}} --quiet",
    "procrastinate": f"-m procrastinate --app {_TASKS}.procrastinate_tasks.app"
    " --log-level error worker --concurrency 1",
}
#: Of procrastinate a worker is one process, so it is started this often.
_ALONE = frozenset({"procrastinate"})
PLAIN = "plain client"
QUEUES = tuple(_WORKERS)


def bench_python() -> str:
    return os.environ.get(PYTHON) or sys.executable


def is_installed(queue: str) -> bool:
    command = [bench_python(), "-c", f"import {queue}"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


@dataclass(frozen=True)
class Naive:
    """A producer, and what takes from its queue."""

    producer: "subprocess.Popen[str]"
    others: Sequence[psutil.Process] = ()

    def run(self, servers: Sequence[Instant], posts: int, latency: float) -> Cost:
        def publish() -> None:
            self.produce([(servers[n % len(servers)].api_url, f"post {n}") for n in range(posts)])
            wait_until(lambda: servers[0].counted_everywhere() == counted + posts)

        counted = servers[0].counted_everywhere()
        return measure_run(servers, latency, posts, publish, family=self.family)

    def produce(self, posts: Sequence[tuple[str, str]]) -> None:
        assert self.producer.stdin is not None
        self.producer.stdin.write(f"{json.dumps(posts)}\n")
        self.producer.stdin.flush()
        self.expect("done")

    def expect(self, word: str) -> None:
        assert self.producer.stdout is not None
        assert self.producer.stdout.readline().strip() == word

    def family(self) -> list[psutil.Process]:
        return with_children([psutil.Process(self.producer.pid), *self.others])


@contextmanager
def plain() -> Iterator[Naive]:
    with _producing("plain_client", os.environ) as producer:
        yield Naive(producer)


@contextmanager
def naive(queue: str, folder: Path, *, children: int) -> Iterator[Naive]:
    folder.mkdir(parents=True)
    with ExitStack() as opened:
        url, broker = opened.enter_context(_broker(queue, folder))
        environ = {**os.environ, "NAIVE_URL": url}
        if queue == "procrastinate":
            _make_schema(environ)
        words = [word.format(children=children, url=url) for word in _WORKERS[queue].split()]
        workers = [
            opened.enter_context(_ended_at_exit([bench_python(), *words], environ, folder))
            for _ in range(children if queue in _ALONE else 1)
        ]
        producer = opened.enter_context(_producing(f"{queue}_tasks", environ))
        yield Naive(producer, [psutil.Process(pid) for pid in (broker, *workers)])


@contextmanager
def _broker(queue: str, folder: Path) -> Iterator[tuple[str, int]]:
    server: Postgres | Valkey
    if queue == "procrastinate":
        server = Postgres(folder=folder / "broker", port=free_port())
    else:
        server = Valkey(folder=folder / "broker", port=free_port())
    server.folder.mkdir(mode=0o700)
    with running(server.service(), folder / "broker.log") as broker:
        yield server.url(), broker.pid


def _make_schema(environ: Mapping[str, str]) -> None:
    app = f"{_TASKS}.procrastinate_tasks.app"
    command = [bench_python(), "-m", "procrastinate", "--app", app, "schema", "--apply"]
    subprocess.run(command, cwd=ROOT, env=environ, check=True, stderr=subprocess.DEVNULL)


@contextmanager
def _ended_at_exit(
    command: Sequence[str], environ: Mapping[str, str], folder: Path
) -> Iterator[int]:
    """A process by its id; at the end it and all below it are ended."""
    with (folder / "worker.log").open("ab") as log:
        worker = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        yield worker.pid
    finally:
        for process in with_children([psutil.Process(worker.pid)]):
            process.kill()
        worker.wait()


@contextmanager
def _producing(module: str, environ: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    command = [bench_python(), "-m", f"{_TASKS}.producer", module]
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as producer:
        Naive(producer).expect("ready")
        yield producer
        producer.communicate()
