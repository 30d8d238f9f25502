"""1 GiB through web to the storage and on to Postiz, beside a direct upload to the same Postiz."""

from pathlib import Path

import pytest

from tests.scenarios.big_files import MIB, measure
from tests.servers.stacks import RunningStack

#: What is promised: memory stays flat, and neither leg is much slower than going there directly.
MEMORY = 64 * MIB
SHARE = 0.7


def test_a_gibibyte_flows_through_with_flat_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunningStack(tmp_path / "home") as stack:
        found = measure(stack, tmp_path, 1024 * MIB, rounds=2)
    with capsys.disabled():
        goal = f"{SHARE:.2f} of direct each way, under {MEMORY / MIB:.0f} MiB"
        print(f"\n1 GiB, goal {goal}: {found}")
    assert found.memory.most < MEMORY
    assert found.into_storage > SHARE * found.direct
    assert found.to_postiz > SHARE * found.direct
