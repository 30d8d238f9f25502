"""What it costs to find the next work: with a million posts at most twice as much as with few."""

import statistics
import time
from datetime import timedelta
from pathlib import Path

import pytest

from local.postgres import Postgres
from tests.conftest import MIGRATED
from tests.scenarios.crowd import fill, looks
from tests.workers.inline_tasks import InlineWaker
from tests.workers.runtimes import make_runtime

ACCOUNTS, FEW, MANY = 1_000, 10_000, 1_000_000
ROUNDS = 15
#: So that the next call of an account carries the same few posts, however many wait behind them.
APART = timedelta(days=1) / (FEW / ACCOUNTS)


@pytest.mark.timeout(1800)
def test_a_million_posts_cost_at_most_twice_as_much_as_ten_thousand(
    postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few, many = (seconds(postgres, tmp_path, posts) for posts in (FEW, MANY))
    with capsys.disabled():
        for name in few:
            print(
                f"\n{name}: {few[name] * 1000:.1f} ms with {FEW:,} posts of {ACCOUNTS:,} accounts,"
                f" {many[name] * 1000:.1f} ms with {MANY:,}",
                end="",
            )
    for name in few:
        assert many[name] <= 2 * few[name] + 0.002, name


def seconds(postgres: Postgres, folder: Path, posts: int) -> dict[str, float]:
    """The median of each look for work, in a database with so many posts."""
    name = f"crowd_{posts}"
    postgres.create_database(name, template=MIGRATED)
    runtime = make_runtime(postgres.url(name), folder)
    assert isinstance(runtime.waker, InlineWaker)
    fill(runtime.database, accounts=ACCOUNTS, posts=posts, apart=APART)
    medians = {}
    for look, run in looks(runtime, ACCOUNTS // 2).items():
        times = []
        for _ in range(ROUNDS):
            runtime.waker.waiting.clear()
            began = time.perf_counter()
            run()
            times.append(time.perf_counter() - began)
        medians[look] = statistics.median(times)
    runtime.close()
    postgres.drop_database(name)
    return medians
