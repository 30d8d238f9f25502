"""What searches, lists and metrics cost with many posts, beside what they cost with few.

With PRESSROOM_BENCH_FINISHED=10000000, the database also holds that many posts that have ended. It
takes a quarter of an hour and 10 GB more.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from local.postgres import Postgres
from shared.db import Database
from tests.bench import goals
from tests.bench.record import Record
from tests.conftest import MIGRATED
from tests.scenarios.crowd import fill, fill_finished, looks, pages_read
from tests.servers.api import Api
from tests.servers.settings import make_settings
from tests.workers.inline_tasks import waiting_tasks
from tests.workers.runtimes import make_runtime
from web.metrics.database_metrics import read_metrics
from worker.runtime import Runtime

ROUNDS = 9
ACCOUNTS, FEW, MANY = 1_000, 10_000, 1_000_000
FINISHED = int(os.environ.get("PRESSROOM_BENCH_FINISHED", MANY))
#: So that the next call of an account carries the same few posts, however many wait behind them.
APART = timedelta(days=1) / (FEW / ACCOUNTS)
#: What is no growth, because it is lost among other work of the machine (milliseconds), or is an
#: index that is a level deeper (pages).
NOISE, PAGES_NOISE = 2.0, 100
TIME, PAGES = "ms", "pages read"
#: These read all open posts of what they show: to count them for metrics, to tell when a job will
#: have ended, or to sort them.
READING_ALL = frozenset({"metrics", "list of jobs", "posts of a job", "accounts"})


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """How many accounts, open posts of them, and posts that have ended."""

    accounts: int
    open_posts: int
    finished: int = 0

    def __str__(self) -> str:
        ended = f", {self.finished:,} ended" if self.finished else ""
        return f"{self.open_posts:,} open{ended}, {self.accounts:,} accounts"


BASE = Crowd(accounts=ACCOUNTS, open_posts=FEW)
GROWN = (
    Crowd(accounts=ACCOUNTS, open_posts=MANY),
    Crowd(accounts=ACCOUNTS, open_posts=FEW, finished=FINISHED),
)
#: Its posts are as many as those of the base, of fewer accounts: shown, and held to nothing.
SMALL = Crowd(accounts=10, open_posts=FEW)


@pytest.mark.timeout(3600)
def test_many_posts_cost_what_few_cost(
    postgres: Postgres, redis_url: str, tmp_path: Path, record: Record
) -> None:
    with ExitStack() as opened:
        crowds = {
            crowd: opened.enter_context(crowded(postgres, redis_url, tmp_path, crowd))
            for crowd in (SMALL, BASE, *GROWN)
        }
        for number in range(1 + ROUNDS):
            for crowd, asked in crowds.items():
                for name, look in asked.items():
                    milliseconds = look.measure_time()
                    if number > 0:  # the first round warms up
                        record.add_round(name, str(crowd), {TIME: milliseconds})
        for crowd, asked in crowds.items():
            for name, look in asked.items():
                pages = pages_read(look.database, look.run)
                record.add_round(name, str(crowd), {PAGES: pages})
    times = {
        (name, crowd): growth_of(record, name, TIME, crowd, noise=NOISE)
        for name, figure in record.values
        for crowd in GROWN
        if figure == TIME
    }
    record.compare_with_goal(goals.GROWTH, max(times.values()))
    for name, crowd in times:
        if name not in READING_ALL:
            assert growth_of(record, name, PAGES, crowd, noise=PAGES_NOISE) <= 2, (name, crowd)


def growth_of(record: Record, name: str, figure: str, crowd: Crowd, *, noise: float) -> float:
    """From the base to `crowd`; 1 where the difference is noise."""
    few, many = (record.median(name, figure, str(each)) for each in (BASE, crowd))
    return many / few if many > few + noise else min(1.0, many / few)


@dataclass(frozen=True)
class Look:
    """Something that is asked of a database, and the engine that asks."""

    database: Database
    run: Callable[[], Any]
    waiting: deque[tuple[str, int]]

    def measure_time(self) -> float:
        """In milliseconds."""
        self.waiting.clear()
        began = time.perf_counter()
        self.run()
        return 1000 * (time.perf_counter() - began)


@contextmanager
def crowded(
    postgres: Postgres, redis_url: str, folder: Path, crowd: Crowd
) -> Iterator[dict[str, Look]]:
    name = f"crowd_{crowd.accounts}_{crowd.open_posts}_{crowd.finished}"
    postgres.create_database(name, template=MIGRATED)
    api = Api(make_settings(postgres.url(name), folder, REDIS_URL=redis_url))
    runtime = make_runtime(postgres.url(name), folder)
    fill(runtime.database, accounts=crowd.accounts, posts=crowd.open_posts, apart=APART)
    if crowd.finished:
        fill_finished(runtime.database, accounts=crowd.accounts, posts=crowd.finished)
    yield all_looks(runtime, api, crowd)
    runtime.close()
    api.close()
    postgres.drop_database(name)


def all_looks(runtime: Runtime, api: Api, crowd: Crowd) -> dict[str, Look]:
    """What a worker does again and again, and what users and Prometheus ask for."""
    account_id = crowd.accounts // 2
    waiting, served = waiting_tasks(runtime), api.services.database
    paths = {
        "list of posts": "/posts?limit=100",
        "list of failed posts": "/posts?limit=100&state=failed",
        "list of jobs": "/jobs?limit=10",
        "posts of a job": f"/jobs/{account_id}/posts?limit=10",
        "accounts": "/accounts?limit=10",
    }
    get = partial(get_page, api, f"profile-{account_id}")
    return {
        **{
            name: Look(runtime.database, run, waiting)
            for name, run in looks(runtime, account_id).items()
        },
        **{name: Look(served, partial(get, path), waiting) for name, path in paths.items()},
        "metrics": Look(served, partial(read_all_metrics, served), waiting),
    }


def get_page(api: Api, profile: str, path: str) -> None:
    assert api.get(path, profile=profile).status_code == 200


def read_all_metrics(database: Database) -> int:
    with database.transaction() as session:
        return len(list(read_metrics(session)))
