"""Clocks on walls, over every change of theirs."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.timing.local_time import in_utc, on_day, whole_second

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo"]
WALLS = st.lists(st.times().map(lambda t: t.replace(microsecond=0)), min_size=1, max_size=5)
DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))


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


@pytest.mark.parametrize(
    ("zone", "day", "wall", "utc"),
    [
        ("Europe/Berlin", "2026-08-01", "18:30", "2026-08-01T16:30Z"),
        ("Europe/Berlin", "2026-03-29", "01:59", "2026-03-29T00:59Z"),
        ("Europe/Berlin", "2026-03-29", "02:00", "2026-03-29T01:00Z"),  # the jump itself
        ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00Z"),
        ("Europe/Berlin", "2026-03-29", "03:00", "2026-03-29T01:00Z"),
        ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30Z"),  # of two the first
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30Z"),  # half an hour
        ("Africa/Cairo", "2026-04-24", "00:00", "2026-04-23T22:00Z"),  # jumps at midnight
    ],
)
def test_a_time_of_the_day_that_the_clock_jumps_over_is_the_moment_after_the_jump(
    zone: str, day: str, wall: str, utc: str
) -> None:
    found = on_day(date.fromisoformat(day), time.fromisoformat(wall), ZoneInfo(zone))
    assert found == datetime.fromisoformat(utc)


@given(DAYS, st.times().map(lambda wall: wall.replace(fold=0)), st.sampled_from(ZONES))
def test_a_clock_shows_the_time_asked_for_or_has_just_jumped_over_it(
    day: date, wall: time, name: str
) -> None:
    zone = ZoneInfo(name)
    wall = wall.replace(microsecond=0)
    shown = on_day(day, wall, zone).astimezone(zone)
    if shown.time() != wall:
        moment = on_day(day, wall, zone)
        just_before = (moment - timedelta(seconds=1)).astimezone(zone)
        assert just_before.replace(tzinfo=None) < datetime.combine(day, wall)
        assert shown.replace(tzinfo=None) > datetime.combine(day, wall)
    assert shown.date() == day
