"""Mutation testing: changes the rules and the guarded writes in small ways, one at a time, and
prints how many of the changes a fast test, or the type check, notices.

`[tool.mutmut]` of pyproject.toml says what is changed and which tests are asked. PostgreSQL is
started once for all of them. Ends with 1 where fewer than `WANTED` percent are noticed; what was
not is listed in mutants/survivors.txt, each as a diff.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local.ports import free_port
from local.postgres import Postgres
from tests.conftest import MIGRATED, RUNNING_POSTGRES
from tests.servers.embedded import migrate, running

WANTED = 85.0
RESULTS = Path("mutants")
SURVIVORS = RESULTS / "survivors.txt"
BIN = Path(sys.executable).parent
#: mutmut's exit codes of a mutant's test run; every other one ended it by a time-out or a crash.
NAMES = {0: "survived", 1: "killed", 3: "killed", 5: "no test", 33: "no test", 37: "types"}
NOTICED = ("killed", "types", "timeout")


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        server = Postgres(folder=Path(home) / "postgres", port=free_port(), durable=False)
        with running(server.service(), Path(home) / "postgres.log"):
            server.create_database(MIGRATED)
            migrate(server.url(MIGRATED))
            _mutate({RUNNING_POSTGRES: f"{server.folder}:{server.port}"})
    outcomes = _outcomes()
    _print_table(outcomes)
    _write_survivors()
    score = _score(sum(outcomes.values(), Counter()))
    print(f"score: {score:.1f} % (wanted: {WANTED:.0f} %); what survived: {SURVIVORS}")
    return 0 if score >= WANTED else 1


def _mutate(settings: Mapping[str, str]) -> None:
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"  # mutmut calls mypy by its name
    command = [str(BIN / "mutmut"), "run", "--max-children", str(os.cpu_count() or 1)]
    done = subprocess.run(
        command, env={**os.environ, **settings, "PATH": path}, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"mutmut ended with {done.returncode}")


def _outcomes() -> dict[str, Counter[str]]:
    """How many mutants of each module came to what."""
    found: dict[str, Counter[str]] = {}
    for results in sorted(RESULTS.rglob("*.meta")):
        codes = json.loads(results.read_text(encoding="utf-8"))["exit_code_by_key"]
        if codes:
            module = str(results.relative_to(RESULTS)).removesuffix(".meta")
            found[module] = Counter(NAMES.get(code, "timeout") for code in codes.values())
    return found


def _score(outcomes: Counter[str]) -> float:
    noticed = sum(outcomes[name] for name in NOTICED)
    return 100 * noticed / max(1, outcomes.total())


def _print_table(outcomes: Mapping[str, Counter[str]]) -> None:
    table = Table("module", "mutants", "killed", "types", "timeout", "survived", "no test", "score")
    for module, counts in outcomes.items():
        names = ("killed", "types", "timeout", "survived", "no test")
        numbers = [str(counts[name]) for name in names]
        table.add_row(module, str(counts.total()), *numbers, f"{_score(counts):.0f} %")
    Console(width=110).print(table)


def _write_survivors() -> None:
    listed = subprocess.run(
        [str(BIN / "mutmut"), "results"], capture_output=True, text=True, check=True
    ).stdout
    names = [line.split(":")[0].strip() for line in listed.splitlines() if "survived" in line]
    with SURVIVORS.open("w", encoding="utf-8") as file:
        for name in names:
            shown = [str(BIN / "mutmut"), "show", name]
            subprocess.run(shown, stdout=file, stderr=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    sys.exit(main())
