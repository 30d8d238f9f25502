"""How late releases are at a few rates, over one server and twenty, beside a neighbour's backlog.

All posts are accepted and staged before; each rate then has its own time. The neighbour publishes
ten thousand posts as fast as its server allows, all the while.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from tests.bench import goals
from tests.bench.record import Record
from tests.scenarios.bulks import percentile, spread
from tests.scenarios.races import CHILDREN, Pressroom, pressroom
from tests.servers.instant_postiz import Instant, instant_servers
from tests.timing.patience import wait_until

#: Releases a minute.
RATES = (10, 100, 1000)
SERVERS = 20
NEIGHBOURS = 10_000
#: In seconds: until the first rate begins, how long each takes, and the pause after it.
LEAD, WINDOW, PAUSE = 30.0, 20.0, 2.0
LATENCY = 0.05
#: One server alone gets 1,000 a minute, which is 17 a second.
SETTINGS = {"PRESSROOM_WRITES_PER_SECOND": "20", "PRESSROOM_SETTLE_SECONDS": "1"}
LATE = "late (s)"
#: In seconds: what also a machine with much other work keeps.
EARLIEST, LATEST = -0.05, 15.0
#: By caption, for each server.
Times = Mapping[str, datetime]


@pytest.mark.timeout(900)
def test_releases_are_on_time(tmp_path: Path, record: Record) -> None:
    cases = [(rate, count) for rate in RATES for count in (1, SERVERS)]
    with (
        instant_servers(SERVERS + 1) as (neighbour, *servers),
        pressroom(tmp_path, [neighbour, *servers], children=CHILDREN, **SETTINGS) as ours,
    ):
        for server in (neighbour, *servers):
            server.begin(LATENCY)
        ours.accept(neighbour, NEIGHBOURS)
        due = {
            case: accept_case(ours, servers, case, first_in=LEAD + number * (WINDOW + PAUSE))
            for number, case in enumerate(cases)
        }
        wait_until(lambda: all(is_released(servers, times) for times in due.values()))
        assert len(neighbour.released_at()) < NEIGHBOURS  # it was busy to the end
        for (rate, count), times in due.items():
            late = lateness_of(servers, times)
            assert late[0] > EARLIEST
            shares = {"50 %": 0.5, "99 %": 0.99, "all": 1.0}
            figures = {f"{LATE}, {name}": percentile(late, share) for name, share in shares.items()}
            record.add_round(case_name(rate, count), "pressroom", figures)
    most = record.median(case_name(RATES[-1], SERVERS), f"{LATE}, 99 %", "pressroom")
    assert record.compare_with_goal(goals.LATENESS, most) < LATEST


def case_name(rate: int, count: int) -> str:
    return f"{rate:,} a minute, {count} {'server' if count == 1 else 'servers'}"


def accept_case(
    ours: Pressroom, servers: Sequence[Instant], case: tuple[int, int], *, first_in: float
) -> list[Times]:
    """The posts of one rate, one after the other over its servers."""
    rate, count = case
    moments = spread(round(rate * WINDOW / 60), first_in=first_in, seconds=WINDOW)
    times: list[dict[str, datetime]] = [{} for _ in range(count)]
    for number, moment in enumerate(moments):
        caption = f"{case_name(rate, count)}: {number}"
        times[number % count][caption] = moment.replace(microsecond=0)  # times are whole seconds
    for server, of_server in zip(servers, times, strict=False):
        if of_server:
            ours.accept_at(server, of_server)
    assert time.time() < moments[0].timestamp() - 5, "there was no time to stage them before"
    return list(times)


def is_released(servers: Sequence[Instant], times: Sequence[Times]) -> bool:
    wanted = [(server, of_server) for server, of_server in zip(servers, times, strict=False)]
    return all(of_server.keys() <= server.released_at().keys() for server, of_server in wanted)


def lateness_of(servers: Sequence[Instant], times: Sequence[Times]) -> list[float]:
    """Seconds from each post's time to its status change at its Postiz, the least first."""
    return sorted(
        released_at[caption] - moment.timestamp()
        for server, of_server in zip(servers, times, strict=False)
        for released_at in [server.released_at()]
        for caption, moment in of_server.items()
    )
