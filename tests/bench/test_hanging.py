"""A Postiz that hangs on every call for ten minutes: what it holds, and how late others are."""

import time
from collections import Counter
from pathlib import Path

import pytest

from shared.config import read_settings
from tests.scenarios.bulks import percentile, press, spread

SECONDS = 600
LEASE = read_settings({"DATABASE_URL": "postgresql://"}).lease_seconds


@pytest.mark.long
@pytest.mark.timeout(2 * SECONDS)
def test_ten_minutes_of_hanging_hold_no_lease_for_long_and_delay_nobody_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with press(tmp_path, ["good", "hung"]) as one:
        one.sandboxes["hung"].admin.add_fault("hang")
        hung = one.bulk("hung", spread(100, first_in=0, seconds=60))["job"]["id"]
        good = one.bulk("good", spread(SECONDS, first_in=90, seconds=SECONDS))["job"]["id"]
        leases, ends = [0.0], time.monotonic() + 90 + SECONDS
        while time.monotonic() < ends:
            leases.append(one.stack.longest_lease())
            time.sleep(1)
        one.wait_until_published("good", good)
        late, states = one.lateness("good", good), Counter(one.counts("hung", hung))
        attempts = max(post["attempts"] for post in one.posts("hung", hung))
    with capsys.disabled():
        print(
            f"\nwhile another Postiz hung for {SECONDS} s: the longest lease {max(leases):.0f} s"
            f" (of {LEASE:.0f}), {len(late)} posts of the neighbour late by"
            f" {percentile(late, 0.5):.2f} s at p50, {percentile(late, 0.99):.2f} s at p99,"
            f" {late[-1]:.2f} s at most; the hanging one's: {dict(states)}, {attempts} attempts"
        )
    assert max(leases) <= LEASE
    assert set(states) <= {"pending", "staging"}
    assert attempts <= 1
    assert percentile(late, 0.99) < 2.0
