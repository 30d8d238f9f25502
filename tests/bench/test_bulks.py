"""Ten thousand posts through ninety counted calls an hour, and what the planner reckons."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.scenarios.bulks import percentile, press, spread

POSTS = 10_000
#: Two hours of times in 20 minutes: everything else runs at its true speed.
SCALE = 6
RAISED = {"PRESSROOM_WRITES_PER_SECOND": "50", "PRESSROOM_SETTLE_SECONDS": "10"}
PATIENCE = 3600.0


@pytest.mark.long
@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("kind", ["at once", "distinct times"])
def test_ten_thousand_posts(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    at_once = kind == "at once"
    with press(tmp_path, ["acme"], **RAISED) as one:
        if at_once:
            times = [datetime.now(UTC).replace(microsecond=0)] * (POSTS // 2)
        else:
            times = spread(POSTS, first_in=300, seconds=7200 / SCALE)
        channels = ["int-one", "int-two"] if at_once else ["int-one"]
        plan = one.bulk("acme", times, query="?dry_run=true", integration_ids=channels)["plan"]
        began = time.monotonic()
        job = one.bulk("acme", times, integration_ids=channels)["job"]["id"]
        accepted = time.monotonic() - began
        one.wait_until_published("acme", job, seconds=PATIENCE)
        took = time.monotonic() - began
        calls, late = one.counted_calls("acme"), one.lateness("acme", job)
    with capsys.disabled():
        print(
            f"\n{POSTS} posts, {kind}: accepted in {accepted:.2f} s, {len(calls)} counted calls"
            f" ({plan['counted_calls']} planned), published after {took:.0f} s;"
            f" late by {percentile(late, 0.5):.2f} s at p50, {percentile(late, 0.99):.2f} s at p99,"
            f" {late[-1]:.2f} s at most"
        )
    assert {call["status"] for call in calls} == {201}
    assert len(calls) == plan["counted_calls"] <= 60
    assert at_once or late[-1] < 2.0
