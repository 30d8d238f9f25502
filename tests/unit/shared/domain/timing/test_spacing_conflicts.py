"""Rows whose own times break a bulk's cap or gap are told, and no others."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.domain.timing.spacing import Spread, Wish, assign_times
from shared.domain.timing.spacing_conflicts import find_conflicts

START = datetime(2026, 8, 1, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


def told(
    wishes: list[Wish], spread: Spread, taken: dict[str, list[datetime]]
) -> dict[str, list[int]]:
    advice = find_conflicts(wishes, assign_times(wishes, spread, taken), spread, taken)
    return {one.said.code: list(one.indexes) for one in advice}


def at(hours: float, name: str = "a") -> Wish:
    return Wish(own=START + hours * HOUR, integration_ids=[name])


def spread(cap: int | None = None, gap: timedelta = timedelta(0)) -> Spread:
    zone = ZoneInfo("Europe/Berlin")
    return Spread(start=START, zone=zone, interval=HOUR, daily_cap=cap, min_gap=gap)


def test_own_times_beyond_the_cap_are_told_with_what_was_there_before() -> None:
    wishes = [at(0), at(1), at(24), at(2, "b"), Wish(integration_ids=["a"])]
    assert told(wishes, spread(cap=2), {}) == {}
    assert told(wishes, spread(cap=2), {"a": [START]}) == {"over_daily_cap": [0, 1]}
    assert told(wishes, spread(), {"a": [START]}) == {}


def test_own_times_closer_than_the_gap_are_told() -> None:
    wishes = [at(0), at(0.5), at(2), at(2), at(4), at(4.5, "b")]
    assert told(wishes, spread(gap=HOUR), {}) == {"under_min_gap": [0, 1, 2, 3]}
    assert told(wishes[:1], spread(gap=HOUR), {"a": [START + HOUR]}) == {}
    before = {"a": [START - HOUR / 2]}
    assert told(wishes[:1], spread(gap=HOUR), before) == {"under_min_gap": [0]}


def test_rows_that_we_place_are_never_told() -> None:
    wishes = [at(0), at(1), *[Wish(integration_ids=["a"])] * 9]
    assert told(wishes, spread(cap=2, gap=HOUR), {}) == {}
