"""When the rows of a bulk are due: intervals, jitter with a seed, and clocks on walls."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.times import Spread, in_utc, whole_second

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 8, 1, 9, 0, tzinfo=UTC)
MINUTES = st.integers(0, 600).map(lambda n: timedelta(minutes=n))
SEEDS = st.integers(0, 2**31)
INDEXES = st.integers(0, 9_999)


def spread(interval: timedelta, jitter: timedelta, seed: int) -> Spread:
    return Spread(start=START, interval=interval, jitter=jitter, seed=seed)


def test_rows_follow_each_other_by_the_interval() -> None:
    every = spread(timedelta(minutes=30), timedelta(0), 0)
    assert [every.at(n) - START for n in range(3)] == [timedelta(minutes=30 * n) for n in range(3)]


@given(MINUTES, MINUTES, SEEDS, INDEXES)
def test_jitter_stays_within_its_bound_and_on_whole_seconds(
    interval: timedelta, jitter: timedelta, seed: int, index: int
) -> None:
    moment = spread(interval, jitter, seed).at(index)
    assert abs(moment - (START + index * interval)) <= jitter + timedelta(seconds=1)
    assert moment.microsecond == 0


@given(MINUTES, MINUTES, SEEDS, INDEXES)
def test_the_same_seed_gives_the_same_times(
    interval: timedelta, jitter: timedelta, seed: int, index: int
) -> None:
    assert spread(interval, jitter, seed).at(index) == spread(interval, jitter, seed).at(index)


def test_another_seed_gives_other_times() -> None:
    hour = timedelta(hours=1)
    times = [[spread(hour, hour, seed).at(n) for n in range(20)] for seed in (1, 2)]
    assert times[0] != times[1]


def test_jitter_goes_both_ways() -> None:
    hour = timedelta(hours=1)
    shifts = [spread(hour, hour, 7).at(n) - START - n * hour for n in range(50)]
    assert min(shifts) < timedelta(0) < max(shifts)


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2026-08-01T18:30:00", "2026-08-01T16:30:00Z"),
        ("2026-01-10T18:30:00", "2026-01-10T17:30:00Z"),
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),  # skipped: an hour later on the wall
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),  # repeated: the first
        ("2026-08-01T18:30:00Z", "2026-08-01T18:30:00Z"),  # its own zone wins
        ("2026-08-01T18:30:00-05:00", "2026-08-01T23:30:00Z"),
    ],
)
def test_a_time_without_a_zone_is_a_wall_clocks(wall: str, utc: str) -> None:
    assert in_utc(datetime.fromisoformat(wall), BERLIN) == datetime.fromisoformat(utc)


def test_a_time_beyond_the_calendar_is_an_error() -> None:
    with pytest.raises(OverflowError):
        in_utc(datetime(1, 1, 1), ZoneInfo("Asia/Tokyo"))  # noqa: DTZ001


@given(st.datetimes(timezones=st.just(UTC)))
def test_whole_seconds_never_lie_later(moment: datetime) -> None:
    assert timedelta(0) <= moment - whole_second(moment) < timedelta(seconds=1)
