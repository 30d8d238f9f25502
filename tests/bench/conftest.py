"""Each bench notes what it measures in a `record`, which is printed and written at its end."""

from collections.abc import Iterator

import pytest

from tests.bench.record import Record, results_folder


@pytest.fixture
def record(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Iterator[Record]:
    """Named as the bench's file, with the first sentence of its docstring."""
    module = request.module
    name = module.__name__.rpartition("test_")[2].replace("_", " ")
    about = (module.__doc__ or "").partition("\n")[0]
    record = Record(name, about)
    record.start_clock()
    yield record
    record.stop_clock()
    record.write_to(results_folder())
    with capsys.disabled():
        print(f"\n{record.about}")
        for row in record.table():
            print("  ".join(f"{cell:>20}" for cell in row))
        print(*record.goal_lines(), sep="\n")
