"""What a bench measured: values of its rounds, their medians and ratios, as JSON and as a table.

Contestants take turns in each round, so that what else the machine does meets all of them. A ratio
is the median of the rounds' ratios, where both have as many rounds.
"""

import json
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.child import ROOT
from tests.bench.goals import GOALS
from tests.bench.machine import describe_machine, read_load

#: Names the folder that results are written into.
FOLDER = "PRESSROOM_BENCH_RESULTS"
#: Where it is not set.
USUAL_FOLDER = ROOT / ".bench" / "results"
#: By contestant: the values of its rounds.
Rounds = dict[str, list[float]]


def results_folder() -> Path:
    return Path(os.environ.get(FOLDER) or USUAL_FOLDER)


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """NaN where theirs is nothing."""
    if len(ours) == len(theirs) and all(theirs):
        return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    least = statistics.median(theirs)
    return statistics.median(ours) / least if least else float("nan")


@dataclass
class Record:
    """Of one bench. `name` is that of its file, too; `ours`: whose ratios are shown, first to
    second of the contestants."""

    name: str
    about: str
    facts: dict[str, Any] = field(default_factory=dict)
    values: dict[tuple[str, str], Rounds] = field(default_factory=dict)
    goals: dict[str, float] = field(default_factory=dict)

    def start_clock(self) -> None:
        self.facts |= {"machine": describe_machine(), "load at its start": round(read_load(), 2)}
        self._began = time.monotonic()

    def stop_clock(self) -> None:
        self.facts["load at its end"] = round(read_load(), 2)
        self.facts["seconds"] = round(time.monotonic() - self._began, 1)

    def add_round(self, case: str, contestant: str, figures: Mapping[str, float]) -> None:
        """What one round of `contestant` measured, by figure."""
        for figure, value in figures.items():
            rounds = self.values.setdefault((case, figure), {})
            rounds.setdefault(contestant, []).append(value)

    def rounds_of(self, case: str, figure: str, contestant: str) -> list[float]:
        return self.values[case, figure][contestant]

    def median(self, case: str, figure: str, contestant: str) -> float:
        return statistics.median(self.rounds_of(case, figure, contestant))

    def ratio(self, case: str, figure: str, ours: str, theirs: str) -> float:
        return ratio_of(*(self.rounds_of(case, figure, name) for name in (ours, theirs)))

    def compare_with_goal(self, goal: str, measured: float) -> float:
        """Note it, and return it for what a noisy machine has to reach as well."""
        self.goals[goal] = measured
        return measured

    def goal_lines(self) -> list[str]:
        return [
            f"{GOALS[name].what}: goal {GOALS[name].describe_bound()}, measured"
            f" {GOALS[name].show(measured)}{'' if GOALS[name].is_met(measured) else ' (MISSED)'}"
            for name, measured in self.goals.items()
        ]

    def as_json(self) -> dict[str, Any]:
        measured = [
            {"case": case, "figure": figure, "rounds": rounds}
            for (case, figure), rounds in self.values.items()
        ]
        told = {"name": self.name, "about": self.about, "facts": self.facts}
        return {**told, "goals": self.goals, "measured": measured}

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> "Record":
        values = {(row["case"], row["figure"]): row["rounds"] for row in read["measured"]}
        return cls(read["name"], read["about"], read["facts"], values, read["goals"])

    def write_to(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name.replace(' ', '-')}.json"
        text = json.dumps(self.as_json(), indent=1, ensure_ascii=False)
        path.write_text(f"{text}\n", encoding="utf-8")

    def table(self) -> list[list[str]]:
        """Medians; the last column is the first contestant's to the second's, where both ran."""
        names = list(dict.fromkeys(name for rounds in self.values.values() for name in rounds))
        ratio = [f"{names[0]} : {names[1]}"] if len(names) > 1 else []
        rows = [["case", "figure", *names, *ratio]]
        for (case, figure), rounds in self.values.items():
            cells = [_show(rounds.get(name)) for name in names]
            both = ratio and names[0] in rounds and names[1] in rounds
            share = f"{ratio_of(rounds[names[0]], rounds[names[1]]):.3g}" if both else ""
            rows.append([case, figure, *cells, *([share] if ratio else [])])
        return rows


def _show(rounds: Sequence[float] | None) -> str:
    if not rounds:
        return ""
    value = statistics.median(rounds)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
