"""A single post beside an account whose Postiz hangs and one with 2,000 posts: two children."""

import time
from pathlib import Path

import pytest

from tests.bench import goals
from tests.bench.record import Record
from tests.scenarios.races import pressroom
from tests.servers.instant_postiz import instant_servers

HANGS, ROUNDS = 600.0, 5
CASE, SECONDS = "two children", "seconds until published"
#: What also a machine with much other work keeps.
LONGEST = 15.0


@pytest.mark.timeout(600)
def test_a_single_post_waits_for_nobody(tmp_path: Path, record: Record) -> None:
    settings = {"PRESSROOM_WRITES_PER_SECOND": "5", "PRESSROOM_SETTLE_SECONDS": "1"}
    with (
        instant_servers(3) as (hanging, busy, free),
        pressroom(tmp_path, [hanging, busy, free], children=2, **settings) as ours,
    ):
        hanging.begin(HANGS)
        ours.accept(hanging, 50)
        ours.accept(busy, 2000)
        time.sleep(5)
        for _ in range(ROUNDS):
            record.add_round(CASE, "pressroom", {SECONDS: ours.run([free], 1, 0.0).seconds})
    most = max(record.rounds_of(CASE, SECONDS, "pressroom"))
    assert record.compare_with_goal(goals.SINGLE_POST, most) < LONGEST
