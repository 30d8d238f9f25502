"""What a whole stack costs that has nothing to do, and how soon it is ready."""

import time
from pathlib import Path

import pytest

from tests.scenarios.idle import measure_idle
from tests.servers.stacks import RunningStack

SECONDS = 60
#: Aimed at on two cores that do nothing else: 1 % of one, 5 statements a second, 500 MiB, 6 s.
STATEMENTS = 5.0
#: More than this shows a mistake on any machine, however busy.
PROCESSOR, MEMORY, READY_SECONDS = 0.06, 1500.0, 60.0


def test_an_idle_stack_costs_next_to_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    with RunningStack(home, PRESSROOM_FLOWER="1"):
        pass  # makes the database, so that the next start is a usual one
    began = time.monotonic()
    with RunningStack(home, PRESSROOM_FLOWER="1") as stack:
        ready = time.monotonic() - began
        time.sleep(10)  # whatever follows a start
        cost = measure_idle(stack, SECONDS)
    with capsys.disabled():
        print(f"\nidle for {SECONDS} s, ready after {ready:.1f} s:\n{cost}")
    assert cost.statements < STATEMENTS
    assert cost.total.processor < PROCESSOR
    assert cost.total.memory < MEMORY
    assert ready < READY_SECONDS
