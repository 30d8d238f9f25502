"""Bulks through the whole stack: few counted calls, on time, and as the dry run said."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.scenarios.bulks import Press, percentile, press, spread

PACE = {"PRESSROOM_WRITES_PER_SECOND": "10", "PRESSROOM_SETTLE_SECONDS": "5"}
#: Tell working from broken on a machine with nothing else to do; `make bench` holds the promise.
NOT_BROKEN = 15.0
ABOUT = timedelta(seconds=60)
#: From the start to the last time of the timed bulk (seconds).
SPAN = 110.0
#: How long a broken product is waited for (seconds): a busy machine takes several times the plan.
HOPELESS = 1200.0


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Press]:
    with press(tmp_path_factory.mktemp("bulks"), ["plenty", "scarce"], **PACE) as running:
        running.sandboxes["scarce"].admin.patch_org("org", limit=3)
        yield running


@pytest.mark.timeout(3 * HOPELESS)
def test_bulks_go_out_as_planned(one: Press) -> None:
    """500 posts at once with a budget of 90, and 500 times with a budget of 3, side by side."""
    at_once = [datetime.now(UTC).replace(microsecond=0)] * 250
    both: dict[str, Any] = {"integration_ids": ["int-one", "int-two"]}
    planned = {
        "plenty": one.bulk("plenty", at_once, query="?dry_run=true", **both)["plan"],
        "scarce": one.bulk(
            "scarce",
            times := spread(500, first_in=30, seconds=SPAN - 30),
            query="?dry_run=true",
        )["plan"],
    }
    jobs = {
        "plenty": one.bulk("plenty", at_once, **both)["job"]["id"],
        "scarce": one.bulk("scarce", times)["job"]["id"],
    }
    began = datetime.now(UTC)
    for profile, job in jobs.items():
        one.wait_until_published(profile, job, seconds=HOPELESS)
        agrees(one, profile, planned[profile])
    lag = lag_of_machine(one, planned["plenty"], began)
    late = one.lateness("scarce", jobs["scarce"])
    assert late[0] > -0.05  # never early
    assert percentile(late, 0.99) < NOT_BROKEN + lag
    for profile in jobs:
        off = last_send(one, profile) - finish_of(planned[profile])
        assert -ABOUT < off < ABOUT + timedelta(seconds=lag)
    accepted = sorted(post["publish_at"] for post in one.posts("scarce", jobs["scarce"]))
    assert accepted == sorted(row["publish_at"] for row in planned["scarce"]["rows"])


def agrees(one: Press, profile: str, plan: dict[str, Any]) -> None:
    calls = one.counted_calls(profile)
    assert {call["status"] for call in calls} == {201}  # no 429, and none in vain
    assert len(calls) == plan["counted_calls"] <= 3
    assert plan["posts"] == 500
    assert plan["handoff"] == {"calendar": 0, "staged": 500}
    assert plan["late_posts"] == 0
    assert len(one.sandboxes[profile].admin.sends()) == 500


def finish_of(plan: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(plan["finishes_at"])


def last_send(one: Press, profile: str) -> datetime:
    return datetime.fromtimestamp(
        max(send["time"] for send in one.sandboxes[profile].admin.sends()), UTC
    )


def lag_of_machine(one: Press, plan: dict[str, Any], began: datetime) -> float:
    """By how much the timed bulk may be late since other work takes the processors (seconds).

    The bulk that is due at once tells: it took so many times as long as planned, and nothing of it
    goes before what has a time of its own.
    """
    slowness = (last_send(one, "plenty") - began) / (finish_of(plan) - began)
    return SPAN * max(0.0, slowness - 1)
