"""From the request to the network: Pressroom beside a naive Celery task for each post.

Pace and settle time are switched off on a stand-in Postiz that publishes at once.
"""

import json
import platform
import statistics
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.scenarios.races import Cost, Naive, Pressroom, naive, pressroom
from tests.servers.instant_postiz import Instant, instant_servers

SERVERS, POSTS, ROUNDS = 10, 200, 1
LATENCIES = (0.0, 0.05)
Results = dict[tuple[float, int], dict[str, list[Cost]]]


def test_a_post_beside_the_naive_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results: Results = defaultdict(lambda: defaultdict(list))
    with ExitStack() as opened:
        servers = opened.enter_context(instant_servers(SERVERS))
        ours = opened.enter_context(pressroom(tmp_path, servers))
        theirs = opened.enter_context(naive(tmp_path / "naive"))
        warm_up(ours, theirs, servers)
        for _ in range(ROUNDS):
            for latency in LATENCIES:
                for count in (1, SERVERS):
                    by_name = results[latency, count]
                    by_name["pressroom"].append(ours.run(servers[:count], POSTS, latency))
                    by_name["naive"].append(theirs.run(servers[:count], POSTS, latency))
    rows = list(table(results))
    with capsys.disabled():
        print(f"\n{POSTS} posts, {ROUNDS} rounds, {platform.platform()}")
        for row in rows:
            print("  ".join(f"{value:>20}" for value in row))
        print(json.dumps(as_json(results)))
    for by_name in results.values():
        assert median(by_name["pressroom"], "counted calls") <= POSTS / 10


def warm_up(ours: Pressroom, theirs: Naive, servers: list[Instant]) -> None:
    """Connections are open, accounts are known, modules are loaded."""
    ours.run(servers, 2 * SERVERS, 0.0)
    theirs.run(servers, 2 * SERVERS, 0.0)


def median(costs: list[Cost], figure: str) -> float:
    return statistics.median(cost.figures()[figure] for cost in costs)


def table(results: Results) -> list[list[str]]:
    rows = [["latency, servers", "figure", "pressroom", "naive", "ratio"]]
    for (latency, count), by_name in results.items():
        for figure in by_name["naive"][0].figures():
            ours, theirs = (median(by_name[name], figure) for name in ("pressroom", "naive"))
            ratio = f"{ours / theirs:.2f}" if theirs else ""
            where = f"{1000 * latency:.0f} ms, {count}"
            rows.append([where, figure, f"{ours:.1f}", f"{theirs:.1f}", ratio])
    return rows


def as_json(results: Results) -> list[dict[str, object]]:
    return [
        {
            "latency_ms": 1000 * latency,
            "servers": count,
            "name": name,
            **{figure: round(median(costs, figure), 2) for figure in costs[0].figures()},
        }
        for (latency, count), by_name in results.items()
        for name, costs in by_name.items()
    ]
