"""Big files flow through: no process ever holds one."""

from pathlib import Path

from tests.scenarios.big_files import MIB, measure
from tests.servers.stacks import RunningStack

SIZE = 128 * MIB


def test_a_file_larger_than_the_memory_it_may_take_arrives(
    stack: RunningStack, tmp_path: Path
) -> None:
    found = measure(stack, tmp_path, SIZE)
    assert found.memory.most < SIZE / 2, str(found)
