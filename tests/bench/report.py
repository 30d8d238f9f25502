"""`python -m tests.bench.report [FOLDER]`: the results in a folder as Markdown, printed."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.goals import GOALS
from tests.bench.record import Record, results_folder


def read_records(folder: Path) -> list[Record]:
    paths = sorted(folder.glob("*.json"))
    return [Record.from_json(json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def write_report(records: Sequence[Record]) -> str:
    parts = [machine_lines(records), goal_lines(records), *map(bench_lines, records)]
    return "\n".join(line for part in parts for line in (*part, "")).rstrip("\n") + "\n"


def machine_lines(records: Sequence[Record]) -> Iterator[str]:
    for machine in {json.dumps(record.facts.get("machine", {})) for record in records}:
        yield from markdown_table([["", ""], *map(list, json.loads(machine).items())])


def goal_lines(records: Sequence[Record]) -> Iterator[str]:
    measured = {name: value for record in records for name, value in record.goals.items()}
    rows = [["what", "goal", "before", "measured", "cause of the shortfall"]]
    for name, goal in GOALS.items():
        value = measured.get(name)
        shown = "not measured" if value is None else goal.show(value)
        cause = "" if value is None or goal.is_met(value) else "?"
        rows.append([goal.what, goal.describe_bound(), goal.before, shown, cause])
    yield from markdown_table(rows)


def bench_lines(record: Record) -> Iterator[str]:
    facts = {name: value for name, value in record.facts.items() if name != "machine"}
    yield f"## {record.name.capitalize()}"
    yield ""
    yield record.about
    if facts:
        yield f"({', '.join(f'{name}: {value}' for name, value in facts.items())})"
    yield ""
    yield from markdown_table(record.table())


def markdown_table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    first, *others = rows
    for row in [first, ["---"] * len(first), *others]:
        yield f"| {' | '.join(row)} |"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else results_folder()
    print(write_report(read_records(folder)), end="")


if __name__ == "__main__":
    main()
