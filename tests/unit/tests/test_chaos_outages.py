"""The audit of releases: it must find those to a server that stands still, and those too fast."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.chaos.diary import Diary, Entry
from tests.chaos.outages import KNOWN_AFTER, RECOVERED, STALLED, bursts, held_back

STALL = Diary([Entry(1000.0, STALLED, ""), Entry(1120.0, RECOVERED, "")])
KNOWN = 1000.0 + KNOWN_AFTER


def release(at: float, post: str = "abc") -> Mapping[str, Any]:
    return {"method": "PUT", "path": f"/public/v1/posts/{post}/status", "time": at}


def test_releases_to_a_server_that_is_known_to_stand_still_are_found() -> None:
    assert list(held_back([release(KNOWN + 1 + number) for number in range(4)], STALL)) == [
        "4 releases to a server that had stalled"
    ]


def test_what_was_under_way_and_probes_of_the_route_are_no_such_releases() -> None:
    under_way = [release(KNOWN + 0.1 * number) for number in range(3)]
    around = [release(at) for at in (999.0, KNOWN - 1, 1121.0, 1122.0)]
    probes = [release(KNOWN + number, "pressroom-probe") for number in range(9)]
    assert list(held_back([*probes, *around, *under_way], STALL)) == []


@pytest.mark.parametrize(
    ("times", "window"),
    [
        ([0.001 * number for number in range(161)], "1 s"),
        ([number / 107 for number in range(1200)], "10 s"),
    ],
)
def test_more_releases_than_the_pace_and_the_credit_allow_are_found(
    times: list[float], window: str
) -> None:
    [found] = bursts([release(at) for at in times], 100)
    assert f"within {window}" in found


def test_the_pace_with_unused_time_caught_up_is_none() -> None:
    caught_up = [0.0] * 50
    assert (
        list(bursts([release(at) for at in [*caught_up, *(n / 100 for n in range(3000))]], 100))
        == []
    )
