"""Medians, ratios and goals of benches, as they are kept and shown."""

import json
import math
from pathlib import Path

from tests.bench import goals
from tests.bench.record import Record, ratio_of
from tests.bench.report import read_records, write_report


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    assert ratio_of([10, 90, 30], [10, 10, 10]) == 3
    assert ratio_of([10, 10, 200], [10, 20, 100]) == 1  # what slowed both down changes nothing
    assert ratio_of([30], [10, 10, 20]) == 3  # with other rounds: of the medians
    assert math.isnan(ratio_of([1], [0]))


def test_a_record_is_kept_and_shown(tmp_path: Path) -> None:
    record = Record("end to end", "How fast.", {"machine": {"cores": "2"}})
    for rate, other in ((100, 40), (200, 50), (150, 60)):
        record.add_round("0 ms", "pressroom", {"posts a second": rate})
        record.add_round("0 ms", "celery", {"posts a second": other})
    record.add_round("0 ms", "rq", {"CPU ms a post": 3.25})
    measured = record.ratio("0 ms", "posts a second", "pressroom", "celery")
    record.compare_with_goal(goals.AT_ONCE, measured)
    record.compare_with_goal(goals.START, 17.0)
    record.write_to(tmp_path)
    [read] = read_records(tmp_path)
    assert read == record
    assert json.loads((tmp_path / "end-to-end.json").read_text())["goals"][goals.AT_ONCE] == 2.5
    lines = write_report([read]).splitlines()
    assert "| 0 ms | posts a second | 150 | 50 |  | 2.5 |" in lines
    assert "| 0 ms | CPU ms a post |  |  | 3.25 |  |" in lines
    assert "| ready after `make up` | ≤ 6 s | 17 s | 17 s | ? |" in lines
    [met] = [line for line in lines if line.startswith("| posts a second at 0 ms, one server")]
    assert met.endswith("| 2.5 times |  |")


def test_goals_tell_what_is_reached_from_what_is_not() -> None:
    assert goals.GOALS[goals.AT_50_MS].is_met(3)
    assert not goals.GOALS[goals.AT_50_MS].is_met(2.9)
    assert goals.GOALS[goals.CPU].is_met(1.5)
    assert not goals.GOALS[goals.CPU].is_met(1.6)


def test_a_missed_goal_is_told() -> None:
    record = Record("idle", "Idle.")
    record.compare_with_goal(goals.START, 5.0)
    record.compare_with_goal(goals.IDLE_MEMORY, 501.0)
    assert record.goal_lines() == [
        "ready after `make up`: goal ≤ 6 s, measured 5 s",
        "idle: memory: goal ≤ 500 MB, measured 501 MB (MISSED)",
    ]
