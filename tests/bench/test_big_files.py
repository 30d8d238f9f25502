"""1 GiB through web to the storage and on to Postiz, beside a direct upload to the same Postiz."""

from pathlib import Path

from tests.bench import goals
from tests.bench.record import Record
from tests.scenarios.big_files import MIB, measure
from tests.servers.stacks import RunningStack

#: What is promised: memory stays flat, and neither leg is much slower than going there directly.
MEMORY = 64.0  # MiB
SHARE = 0.7


def test_a_gibibyte_flows_through_with_flat_memory(tmp_path: Path, record: Record) -> None:
    with RunningStack(tmp_path / "home") as stack:
        found = measure(stack, tmp_path, 1024 * MIB, rounds=2)
    legs = {
        "through web to the storage": found.into_storage,
        "from the storage to Postiz": found.to_postiz,
        "one after the other": found.both_ways,
    }
    for leg, rate in legs.items():
        record.add_round(leg, "pressroom", {"MiB/s": rate / MIB})
        record.add_round(leg, "directly", {"MiB/s": found.direct / MIB})
    record.compare_with_goal(goals.UPLOAD_RATE, found.both_ways / found.direct)
    grown = record.compare_with_goal(goals.UPLOAD_MEMORY, found.memory.most / MIB)
    assert grown < MEMORY
    assert found.into_storage > SHARE * found.direct
    assert found.to_postiz > SHARE * found.direct
