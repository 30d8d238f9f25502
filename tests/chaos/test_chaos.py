"""A short chaos run with a fixed seed, and the control arm that its audit must condemn."""

from functools import partial
from pathlib import Path

import pytest

from tests.chaos.options import Options
from tests.chaos.run import Outcome, run

short_run = partial(Options, patience=600.0, outcome_unknown=45.0)
#: These take a minute or two to their end: see test_each_fault.py.
SLOW = frozenset({"undeletable", "undeletable when cancelled", "unmovable", "stall"})


def counts(outcome: Outcome) -> list[str]:
    return [f"{violation.kind}: {violation.what}" for violation in outcome.verdict.violations]


@pytest.mark.timeout(1800)  # on a slow machine; it waits for everything to settle
def test_whatever_dies_hangs_or_repeats_nothing_is_lost_and_nothing_is_sent_twice(
    tmp_path: Path,
) -> None:
    options = short_run(
        seed=41,
        posts=100,
        accounts=4,
        faults=30,
        kills=6,
        minutes=0.4,
        failpoints=0.003,
        schedules=2,
        without=SLOW,
    )
    outcome = run(options, tmp_path)
    print(outcome.report)
    assert counts(outcome) == []
    assert len(outcome.evidence.accepted) == 100


@pytest.mark.timeout(1800)
def test_the_audit_condemns_workers_that_stage_anew_without_parking(tmp_path: Path) -> None:
    options = short_run(
        seed=42,
        posts=12,
        accounts=1,
        faults=0,
        kills=0,
        minutes=0.2,
        failpoints=0,
        careless=True,
    )
    outcome = run(options, tmp_path)
    print(outcome.report)
    assert outcome.verdict.count("duplicate") > 0
