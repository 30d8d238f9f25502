"""From the request to the network, beside a naive task and counted call for each post.

Pace and settle time are switched off on a stand-in Postiz that publishes at once. Pressroom, Celery
and a plain client take turns; the other queues run alone, once, with fewer posts. Each queue has as
many processes as Pressroom has children, and each process makes one call at a time.
"""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.bench import goals
from tests.bench.record import Record
from tests.scenarios.naive_races import PLAIN, QUEUES, Naive, is_installed, naive, plain
from tests.scenarios.races import CHILDREN, Pressroom, pressroom
from tests.servers.instant_postiz import Instant, instant_servers

OURS, THEIRS = "pressroom", "celery"
SERVERS, ROUNDS = 20, 3
#: How many posts a run has, by latency (seconds): each takes some seconds.
POSTS = {0.0: 1000, 0.05: 400, 0.2: 100}
#: Of these, what the other queues publish.
SHARE = 5
RATE, CPU, CALLS = "posts a second", "CPU ms a post", "counted calls"
#: What also a machine with much other work reaches.
LEAST_RATE, MOST_CALLS = 0.3, 1 / 50


@pytest.mark.timeout(1200)
def test_a_post_beside_the_naive_shape(tmp_path: Path, record: Record) -> None:
    with instant_servers(SERVERS) as servers:
        race_main(tmp_path, servers, record)
        for queue in QUEUES:
            if queue != THEIRS and is_installed(queue):
                race_queue(queue, tmp_path, servers, record)
    at_once, at_50_ms = case(0.0, 1), case(0.05, 1)
    rate = record.compare_with_goal(goals.AT_ONCE, record.ratio(at_once, RATE, OURS, THEIRS))
    record.compare_with_goal(goals.AT_50_MS, record.ratio(at_50_ms, RATE, OURS, THEIRS))
    record.compare_with_goal(goals.CPU, record.ratio(at_once, CPU, OURS, THEIRS))
    calls = record.ratio(at_once, CALLS, OURS, THEIRS)
    assert record.compare_with_goal(goals.COUNTED_CALLS, calls) <= MOST_CALLS
    assert rate >= LEAST_RATE


def race_main(folder: Path, servers: list[Instant], record: Record) -> None:
    with ExitStack() as opened:
        contestants: dict[str, Pressroom | Naive] = {
            OURS: opened.enter_context(pressroom(folder, servers)),
            THEIRS: opened.enter_context(naive(THEIRS, folder / THEIRS, children=CHILDREN)),
            PLAIN: opened.enter_context(plain()),
        }
        for contestant in contestants.values():
            warm_up(contestant, servers)
        for _ in range(ROUNDS):
            for latency, posts in POSTS.items():
                for count in (1, SERVERS):
                    for name, contestant in contestants.items():
                        cost = contestant.run(servers[:count], posts, latency)
                        record.add_round(case(latency, count), name, cost.figures())


def race_queue(queue: str, folder: Path, servers: list[Instant], record: Record) -> None:
    with naive(queue, folder / queue, children=CHILDREN) as contestant:
        warm_up(contestant, servers)
        for latency, posts in POSTS.items():
            for count in (1, SERVERS):
                figures = contestant.run(servers[:count], posts // SHARE, latency).figures()
                del figures[CALLS]  # one for each post
                record.add_round(case(latency, count), queue, figures)


def warm_up(contestant: Pressroom | Naive, servers: list[Instant]) -> None:
    """Connections are open, accounts are known, modules are loaded."""
    contestant.run(servers, 2 * SERVERS, 0.0)


def case(latency: float, servers: int) -> str:
    return f"{1000 * latency:.0f} ms, {servers} {'server' if servers == 1 else 'servers'}"
