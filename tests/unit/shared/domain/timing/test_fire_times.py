"""What is due of a schedule, after any absence of the clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.timing.cron import fire_times
from shared.domain.timing.fire_times import (
    COUNTED,
    PUNCTUAL,
    TOLD,
    DueTimes,
    Missed,
    find_due_times,
)

ZONE = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def asked(cron: str, *, away: timedelta, grace: timedelta = HOUR) -> DueTimes:
    """The clock comes back at noon; the first fire time since it went lies `away` before."""
    return find_due_times(cron, ZONE, since=NOON - away, now=NOON, grace=grace)


def test_what_is_due_in_time_runs() -> None:
    assert asked("0 * * * *", away=timedelta()) == DueTimes(
        missed=[], fire_at=NOON, next_at=NOON + HOUR
    )


def test_what_is_not_due_yet_waits() -> None:
    assert asked("* * * * *", away=-MINUTE) == DueTimes(
        missed=[], fire_at=None, next_at=NOON + MINUTE
    )


def test_what_is_late_within_the_grace_runs_late_and_the_next_ones_after_it() -> None:
    found = asked("*/10 * * * *", away=30 * MINUTE)
    assert found == DueTimes(missed=[], fire_at=NOON - 30 * MINUTE, next_at=NOON - 20 * MINUTE)


def test_what_is_later_than_the_grace_was_missed_and_the_rest_runs() -> None:
    found = asked("0 * * * *", away=3 * HOUR, grace=90 * MINUTE)
    assert [each.first for each in found.missed] == [NOON - 3 * HOUR, NOON - 2 * HOUR]
    assert (found.fire_at, found.next_at) == (NOON - HOUR, NOON)


def test_exactly_the_grace_is_a_miss() -> None:
    assert asked("0 * * * *", away=HOUR).fire_at == NOON
    assert asked("0 * * * *", away=HOUR, grace=HOUR + timedelta(seconds=1)).fire_at == NOON - HOUR


@pytest.mark.parametrize(("seconds", "runs"), [(0, True), (9, True), (10, False)])
def test_without_any_grace_a_moment_is_no_miss(seconds: int, runs: bool) -> None:
    away = timedelta(seconds=seconds)
    assert (asked("0 12 * * *", away=away, grace=timedelta()).fire_at is not None) == runs


def test_each_miss_stands_for_its_own_second() -> None:
    found = asked("0 * * * *", away=3 * HOUR, grace=90 * MINUTE)
    firsts = [NOON - 3 * HOUR, NOON - 2 * HOUR]
    second = timedelta(seconds=1)
    assert found.missed == [Missed(first=first, until=first + second) for first in firsts]


def test_so_many_misses_are_still_told_one_by_one() -> None:
    found = asked("* * * * *", away=HOUR + (TOLD - 1) * MINUTE)
    assert [missed.times for missed in found.missed] == [1] * TOLD


@pytest.mark.parametrize("hours", [0, 1, 60, 24 * 365 * 9])
def test_the_zone_holds_after_every_absence(hours: int) -> None:
    found = asked("0 9 * * *", away=hours * HOUR)
    assert found.next_at is not None
    assert found.next_at.astimezone(ZONE).hour == 9


def test_the_zone_holds_after_more_misses_than_are_counted() -> None:
    found = asked("*/30 9-10 * * *", away=24 * 700 * HOUR)
    assert [missed.times for missed in found.missed] == [None]
    assert found.next_at is not None
    assert found.next_at.astimezone(ZONE).hour == 9


def test_many_misses_become_one_record() -> None:
    found = asked("* * * * *", away=HOUR + (TOLD + 1) * MINUTE)
    [missed] = found.missed
    first = NOON - HOUR - (TOLD + 1) * MINUTE
    assert missed == Missed(first=first, until=NOON - HOUR, times=TOLD + 2)
    assert found.fire_at == NOON - 59 * MINUTE


def test_a_month_away_is_not_counted_out() -> None:
    found = asked("* * * * *", away=timedelta(days=31))
    assert COUNTED < 31 * 24 * 60
    assert found.missed == [Missed(first=NOON - timedelta(days=31), until=NOON - HOUR, times=None)]
    assert found.fire_at == NOON - 59 * MINUTE


@given(
    away=st.integers(-10, 500),
    grace=st.integers(0, 100),
    cron=st.sampled_from(["* * * * *", "*/7 * * * *", "30 2 * * *"]),
)
def test_each_fire_time_is_run_or_missed_or_still_to_come(away: int, grace: int, cron: str) -> None:
    before = NOON - (away + 1) * MINUTE
    times = fire_times(cron, ZONE, before)
    since = next(times)
    ran, missed, looked_at = [], [], since
    while True:
        found = find_due_times(cron, ZONE, since=looked_at, now=NOON, grace=grace * MINUTE)
        missed += list(found.missed)
        if found.next_at is None or found.fire_at is None:
            break
        ran.append(found.fire_at)
        looked_at = found.next_at
    deadline = NOON - max(grace * MINUTE, PUNCTUAL)
    expected = [since, *_until(times, NOON)] if since <= NOON else []
    assert ran == [each for each in expected if each > deadline]
    assert sum(each.times or 0 for each in missed) == len(expected) - len(ran)
    assert found.next_at is not None
    assert found.next_at > NOON


def _until(times: Iterator[datetime], end: datetime) -> list[datetime]:
    return list(takewhile(lambda moment: moment <= end, times))
