"""A single post beside an account whose Postiz hangs and one with 2,000 posts: two children."""

import time
from pathlib import Path

import pytest

from tests.scenarios.races import pressroom
from tests.servers.instant_postiz import instant_servers

HANGS, ROUNDS = 600.0, 5
#: Promised for two cores that do nothing else (seconds).
PROMISED = 3.0


@pytest.mark.timeout(600)
def test_a_single_post_waits_for_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"PRESSROOM_WRITES_PER_SECOND": "5", "PRESSROOM_SETTLE_SECONDS": "1"}
    with (
        instant_servers(3) as (hanging, busy, free),
        pressroom(tmp_path, [hanging, busy, free], children=2, **settings) as ours,
    ):
        hanging.begin(HANGS)
        ours.accept(hanging, 50)
        ours.accept(busy, 2000)
        time.sleep(5)
        took = sorted(ours.run([free], 1, 0.0).seconds for _ in range(ROUNDS))
    with capsys.disabled():
        print(f"\na single post: {took[ROUNDS // 2]:.2f} s at the median, {took[-1]:.2f} s at most")
    assert took[-1] < PROMISED
