"""What a whole stack costs that has nothing to do, and how soon it is ready."""

import time
from pathlib import Path

from tests.bench import goals
from tests.bench.record import Record
from tests.scenarios.idle import Share, measure_idle
from tests.servers.stacks import RunningStack

SECONDS = 60
STATEMENTS = 5.0
#: More than this (% of a core, MiB, s) shows a mistake on any machine, however busy.
PROCESSOR, MEMORY, READY_SECONDS = 6.0, 1500.0, 60.0


def test_an_idle_stack_costs_next_to_nothing(tmp_path: Path, record: Record) -> None:
    home = tmp_path / "home"
    with RunningStack(home, PRESSROOM_FLOWER="1"):
        pass  # makes the database, so that the next start is a usual one
    began = time.monotonic()
    with RunningStack(home, PRESSROOM_FLOWER="1") as stack:
        ready = time.monotonic() - began
        time.sleep(10)  # whatever follows a start
        cost = measure_idle(stack, SECONDS)
    for kind, share in [*cost.shares.items(), ("all", cost.total)]:
        record.add_round(kind, "pressroom", figures_of(share))
    assert record.compare_with_goal(goals.IDLE_QUERIES, cost.statements) < STATEMENTS
    assert record.compare_with_goal(goals.IDLE_CPU, 100 * cost.total.processor) < PROCESSOR
    assert record.compare_with_goal(goals.IDLE_MEMORY, cost.total.memory) < MEMORY
    assert record.compare_with_goal(goals.START, ready) < READY_SECONDS


def figures_of(share: Share) -> dict[str, float]:
    return {
        "processes": share.processes,
        "% of a core": 100 * share.processor,
        "MiB": share.memory,
    }
