"""Slots: the same times on the wall each day, whatever the clocks do."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.timing.local_time import local_day, on_day
from shared.domain.timing.slots import Slots

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo"]
#: As people write them: which of two 2:30s is meant has no way to be said.
WALLS = st.lists(
    st.times().map(lambda wall: wall.replace(microsecond=0, fold=0)), min_size=1, max_size=5
)
STARTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001
    lambda naive: naive.replace(microsecond=0, tzinfo=UTC)
)


def first(count: int, start: str, walls: list[time], zone: ZoneInfo = BERLIN) -> list[datetime]:
    slots = Slots(datetime.fromisoformat(start), walls, zone)
    return [slots.at(number) for number in range(count)]


@given(STARTS, WALLS, st.sampled_from(ZONES))
def test_slots_follow_each_other_and_are_those_of_each_day_from_the_start_on(
    start: datetime, walls: list[time], name: str
) -> None:
    zone = ZoneInfo(name)
    slots = Slots(start, walls, zone)
    found = [slots.at(number) for number in range(40)]
    assert found[0] >= start
    assert all(one < other for one, other in pairwise(found))
    days: list[date] = sorted({local_day(moment, zone) for moment in found})
    for day in days[1:-1]:
        of_day = [moment for moment in found if local_day(moment, zone) == day]
        assert of_day == sorted({on_day(day, wall, zone) for wall in walls})
    assert all(later - day == timedelta(days=1) for day, later in pairwise(days))


@given(STARTS, WALLS, st.sampled_from(ZONES), st.integers(-3000, 60_000), st.integers(0, 999_999))
def test_the_first_slot_from_a_moment_on_is_found_by_its_number(
    start: datetime, walls: list[time], name: str, minutes: int, micros: int
) -> None:
    slots = Slots(start, walls, ZoneInfo(name))
    moment = start + timedelta(minutes=minutes, microseconds=micros)
    number = slots.first_from(moment)
    assert slots.at(number) >= moment or number == 0
    assert number == 0 or slots.at(number - 1) < moment


def test_slots_keep_their_time_on_the_wall_over_both_changes() -> None:
    for start in ("2026-03-27T12:00Z", "2026-10-23T12:00Z"):
        found = first(4, start, [time(9)])
        assert {moment.astimezone(BERLIN).time() for moment in found} == {time(9)}
        assert len({moment.time() for moment in found}) == 2  # in UTC they move


def test_slots_that_fall_together_count_once_and_a_repeated_one_too() -> None:
    walls = [time(2, 15), time(2, 45), time(3)]
    spring = first(2, "2026-03-28T23:00Z", walls)
    assert [f"{moment:%d %H:%M}" for moment in spring] == ["29 01:00", "30 00:15"]
    autumn = first(4, "2026-10-24T22:00Z", walls)
    assert [f"{moment:%H:%M}" for moment in autumn] == ["00:15", "00:45", "02:00", "01:15"]


def test_a_day_that_a_zone_skipped_has_no_slots() -> None:
    apia = ZoneInfo("Pacific/Apia")
    found = first(2, "2011-12-29T10:00Z", [time(9)], apia)
    assert [local_day(moment, apia).day for moment in found] == [29, 31]
