"""How many posts a second 1, 2, 4 and 8 worker processes release at 50 ms, over twenty servers."""

from pathlib import Path

import pytest

from tests.bench.record import Record
from tests.scenarios.races import pressroom
from tests.servers.instant_postiz import instant_servers

SERVERS, LATENCY = 20, 0.05
#: For each number of children: how often, and how many posts.
CHILDREN, ROUNDS, POSTS = (1, 2, 4, 8), 2, 400


@pytest.mark.timeout(900)
def test_more_processes_publish_no_less(tmp_path: Path, record: Record) -> None:
    """On a machine with few processors that is all that can be asked."""
    with instant_servers(SERVERS) as servers:
        for children in CHILDREN:
            with pressroom(tmp_path / str(children), servers, children=children) as ours:
                ours.run(servers, 2 * SERVERS, 0.0)
                for _ in range(ROUNDS):
                    figures = ours.run(servers, POSTS, LATENCY).figures()
                    record.add_round("50 ms, 20 servers", case(children), figures)
    first, last = (
        record.median("50 ms, 20 servers", "posts a second", case(children))
        for children in (CHILDREN[0], CHILDREN[-1])
    )
    assert last > first / 3


def case(children: int) -> str:
    return f"{children} {'process' if children == 1 else 'processes'}"
