"""Fire times: in UTC, in zones, and over both changes of the clock."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.timing.cron import fire_times, first_after, normalize_expression

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"]
STARTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)).map(  # noqa: DTZ001
    lambda naive: naive.replace(microsecond=0, tzinfo=UTC)
)
MINUTES = st.sampled_from(["0", "30", "15,45", "5-10", "*", "*/20"])
HOURS = st.sampled_from(["0", "2", "3", "2,3", "1-4", "*", "*/2"])
CRONS = st.builds(lambda minute, hour: f"{minute} {hour} * * *", MINUTES, HOURS)


def local(cron: str, after: str, count: int, zone: ZoneInfo = BERLIN) -> list[str]:
    found = islice(fire_times(cron, zone, datetime.fromisoformat(after)), count)
    return [moment.astimezone(zone).isoformat(timespec="minutes") for moment in found]


def test_a_time_that_the_clock_jumps_over_in_march_is_due_right_after_the_jump() -> None:
    assert local("30 2 * * *", "2026-03-27T12:00:00Z", 4) == [
        "2026-03-28T02:30+01:00",
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
        "2026-03-31T02:30+02:00",
    ]


def test_a_time_that_comes_twice_in_october_is_due_the_first_time_only() -> None:
    assert local("30 2 * * *", "2026-10-23T12:00:00Z", 4) == [
        "2026-10-24T02:30+02:00",
        "2026-10-25T02:30+02:00",
        "2026-10-26T02:30+01:00",
        "2026-10-27T02:30+01:00",
    ]


@pytest.mark.parametrize("after", ["2026-10-25T00:30:00Z", "2026-10-25T01:10:00Z"])
def test_from_between_both_it_is_due_on_the_next_day(after: str) -> None:
    assert local("30 2 * * *", after, 1) == ["2026-10-26T02:30+01:00"]


def test_two_times_that_fall_on_one_jump_are_due_once() -> None:
    assert local("0,30 2,3 * * *", "2026-03-29T00:00:00Z", 3) == [
        "2026-03-29T03:00+02:00",
        "2026-03-29T03:30+02:00",
        "2026-03-30T02:00+02:00",
    ]


@pytest.mark.parametrize(
    ("cron", "after", "hours"),
    [
        ("0 * * * *", "2026-03-28T22:59:00Z", ["00", "01", "03", "04"]),
        ("0 * * * *", "2026-10-24T21:59:00Z", ["00", "01", "02", "02", "03"]),
    ],
)
def test_every_hour_is_every_hour_that_passes(cron: str, after: str, hours: list[str]) -> None:
    assert [each[11:13] for each in local(cron, after, len(hours))] == hours


@pytest.mark.parametrize(("day", "count"), [("2026-03-29", 0), ("2026-10-25", 12)])
def test_minutes_of_an_hour_follow_the_hour_left_out_or_repeated(day: str, count: int) -> None:
    start = (datetime.fromisoformat(day) - timedelta(hours=1)).isoformat() + "Z"
    assert [each[:10] for each in local("*/10 2 * * *", start, 12)].count(day) == count


def test_a_clock_that_changes_by_half_an_hour_loses_no_minute() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    assert local("*/20 0 * * *", "2026-04-04T13:40:00Z", 2, zone) == [
        "2026-04-06T00:00+10:30",
        "2026-04-06T00:20+10:30",
    ]


@given(CRONS, STARTS, st.sampled_from(ZONES))
def test_fire_times_only_grow_and_show_on_the_clock(cron: str, start: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    found = list(islice(fire_times(cron, zone, start), 30))
    assert found[0] > start
    assert all(one < other for one, other in pairwise(found))
    assert all(moment.second == 0 and moment.tzinfo is UTC for moment in found)


@given(CRONS, st.sampled_from(ZONES), st.sampled_from(["2026-03-2", "2026-10-2", "2026-04-0"]))
def test_whoever_asks_later_gets_the_same_fire_times(cron: str, name: str, days: str) -> None:
    zone = ZoneInfo(name)
    start = datetime.fromisoformat(f"{days}3T00:00:00Z")
    found = list(islice(fire_times(cron, zone, start), 60))
    for one, other in pairwise(found):
        assert first_after(cron, zone, one) == other
        assert first_after(cron, zone, one + (other - one) / 2) == other


NO_CRONS = ["", "* * * *", "0 0 0 * * *", "61 * * * *", "0 0 31 2 *", "a b c d e"]


@pytest.mark.parametrize("cron", NO_CRONS)
def test_what_is_no_expression_or_never_due_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match=r"must have|is not a cron|is never"):
        normalize_expression(cron)


def test_a_refusal_says_what_is_wrong_with_it() -> None:
    five = "must have five fields: minute, hour, day of month, month, day of week"
    for cron, words in {
        "* * *": five,
        "61 * * * *": "is not a cron expression: Bad minute",
    }.items():
        with pytest.raises(ValueError, match=words):
            normalize_expression(cron)


@pytest.mark.parametrize("cron", ["0 9 * * mon-fri", "*/5 * * * *", "0 0 29 2 *", "0 0 L * *"])
def test_an_expression_is_kept_in_one_form(cron: str) -> None:
    assert normalize_expression(f" {cron.replace(' ', '  ')} ") == cron


def test_an_expression_may_be_due_every_second_for_whoever_tests_us() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert first_after("* * * * * *", BERLIN, start) == start + timedelta(seconds=1)
