"""Clocks on walls, over every change of theirs."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.times import in_utc, local_day, on_day, slots, whole_second

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


@given(DAYS, st.times(), st.sampled_from(ZONES))
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


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), WALLS, st.sampled_from(ZONES))  # noqa: DTZ001
def test_slots_follow_each_other_and_are_those_of_each_day_from_the_start_on(
    naive: datetime, walls: list[time], name: str
) -> None:
    zone, start = ZoneInfo(name), naive.replace(microsecond=0, tzinfo=UTC)
    found = list(islice(slots(start, walls, zone), 40))
    assert found[0] >= start
    assert all(one < other for one, other in pairwise(found))
    days = sorted({local_day(moment, zone) for moment in found})
    for day in days[1:-1]:
        of_day = [moment for moment in found if local_day(moment, zone) == day]
        assert of_day == sorted({on_day(day, wall, zone) for wall in walls})
    assert all(later - day == timedelta(days=1) for day, later in pairwise(days))


def test_slots_keep_their_time_on_the_wall_over_both_changes() -> None:
    nine = [time(9)]
    for start in ("2026-03-27T12:00Z", "2026-10-23T12:00Z"):
        found = list(islice(slots(datetime.fromisoformat(start), nine, BERLIN), 4))
        assert {moment.astimezone(BERLIN).time() for moment in found} == {time(9)}
        assert len({moment.time() for moment in found}) == 2  # in UTC they move


def test_slots_that_fall_together_count_once_and_a_repeated_one_too() -> None:
    walls = [time(2, 15), time(2, 45), time(3)]
    spring = list(islice(slots(datetime(2026, 3, 28, 23, tzinfo=UTC), walls, BERLIN), 2))
    assert spring == [
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 3, 30, 0, 15, tzinfo=UTC),
    ]
    autumn = list(islice(slots(datetime(2026, 10, 24, 22, tzinfo=UTC), walls, BERLIN), 4))
    assert [f"{moment:%d %H:%M}" for moment in autumn] == [
        "25 00:15",
        "25 00:45",
        "25 02:00",
        "26 01:15",
    ]


def test_a_day_that_a_zone_skipped_has_no_slots() -> None:
    apia = ZoneInfo("Pacific/Apia")
    found = islice(slots(datetime(2011, 12, 29, 10, tzinfo=UTC), [time(9)], apia), 2)
    assert [local_day(moment, apia).day for moment in found] == [29, 31]
