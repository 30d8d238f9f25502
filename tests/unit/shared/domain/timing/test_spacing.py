"""When the rows of a bulk are due: intervals, jitter, slots, caps and gaps, for any bulk."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.timing.local_time import local_day, on_day
from shared.domain.timing.spacing import LATEST, Spread, Wish, assign_times

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 8, 1, 7, 0, tzinfo=UTC)  # nine o'clock in Berlin
MINUTES = st.integers(0, 600).map(lambda n: timedelta(minutes=n))
#: Around both changes of the clock, and anywhere.
STARTS = st.sampled_from(
    [START, datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)]
) | st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
ZONES = st.sampled_from([BERLIN, ZoneInfo("UTC"), ZoneInfo("America/New_York")])
WALLS = st.lists(st.sampled_from([time(2, 30), time(9), time(18, 30), time(23, 50)]), unique=True)
NEAR = st.integers(-10_000, 40_000).map(lambda minutes: START + timedelta(minutes=minutes))
IDS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)
FREE = IDS.map(lambda ids: Wish(integration_ids=ids))
WISHES = st.lists(FREE | st.builds(Wish, own=NEAR, integration_ids=IDS), min_size=1, max_size=12)
TAKEN = st.dictionaries(st.sampled_from("abcd"), st.lists(NEAR, max_size=5))


@st.composite
def spreads(draw: st.DrawFn, *, jitter: bool = True) -> Spread:
    return Spread(
        start=draw(STARTS),
        zone=draw(ZONES),
        interval=draw(MINUTES),
        jitter=draw(MINUTES) if jitter else timedelta(0),
        seed=draw(st.integers()),
        walls=draw(WALLS),
        daily_cap=draw(st.none() | st.integers(1, 4)),
        min_gap=draw(st.just(timedelta(0)) | MINUTES | st.just(timedelta(seconds=90.5))),
    )


def spread(**more: Any) -> Spread:
    return Spread(**{"start": START, "zone": BERLIN, "interval": timedelta(minutes=30), **more})


def wall_times(wishes: int, found: Spread) -> list[str]:
    moments = assign_times([Wish(integration_ids=["a"])] * wishes, found, {})
    return [f"{moment.astimezone(BERLIN):%d %H:%M}" for moment in moments]


def by_integration(wishes: list[Wish], moments: list[datetime]) -> dict[str, list[datetime]]:
    """When the posts of each integration are due, in the order of the rows that we placed."""
    found: dict[str, list[datetime]] = defaultdict(list)
    for wish, moment in zip(wishes, moments, strict=True):
        for name in wish.integration_ids if wish.own is None else ():
            found[name].append(moment)
    return found


def fixed(wishes: list[Wish], taken: dict[str, list[datetime]], name: str) -> list[datetime]:
    own = [wish.own for wish in wishes if wish.own and name in wish.integration_ids]
    return own + taken.get(name, [])


def test_rows_follow_each_other_by_the_interval() -> None:
    assert wall_times(3, spread()) == ["01 09:00", "01 09:30", "01 10:00"]


def test_a_full_day_goes_on_the_next_one_at_the_time_of_the_start() -> None:
    assert wall_times(7, spread(daily_cap=3)) == [
        *("01 09:00", "01 09:30", "01 10:00"),
        *("02 09:00", "02 09:30", "02 10:00"),
        "03 09:00",
    ]


def test_a_gap_puts_rows_off_as_far_as_it_must() -> None:
    hour = timedelta(hours=1)
    assert wall_times(3, spread(min_gap=hour)) == ["01 09:00", "01 10:00", "01 11:00"]
    far = spread(min_gap=hour, interval=timedelta(hours=2))
    assert wall_times(2, far) == ["01 09:00", "01 11:00"]


def test_rows_take_slot_after_slot() -> None:
    walls = [time(18, 30), time(9)]
    assert wall_times(3, spread(walls=walls)) == ["01 09:00", "01 18:30", "02 09:00"]
    one_a_day = spread(walls=walls, daily_cap=1)
    assert wall_times(3, one_a_day) == ["01 09:00", "02 09:00", "03 09:00"]
    far_apart = spread(walls=walls, min_gap=timedelta(hours=12))
    assert wall_times(3, far_apart) == ["01 09:00", "02 09:00", "03 09:00"]


def test_a_row_with_its_own_time_uses_up_no_slot() -> None:
    wishes = [Wish(own=START), Wish(), Wish(own=START), Wish()]
    moments = assign_times(wishes, spread(walls=[time(9)]), {})
    assert moments == [START, START, START, START + timedelta(days=1)]


def test_what_was_accepted_before_counts() -> None:
    taken = {"a": [START, START + timedelta(hours=5)], "b": [START + timedelta(minutes=50)]}
    wishes = [Wish(integration_ids=["a"]), Wish(integration_ids=["b"])]
    capped = assign_times(wishes, spread(daily_cap=2), taken)
    assert capped == [START + timedelta(days=1), START + timedelta(minutes=30)]
    gapped = assign_times(wishes, spread(min_gap=timedelta(minutes=40)), taken)
    assert gapped == [START + timedelta(minutes=40), START + timedelta(minutes=90)]


def test_a_row_for_several_integrations_keeps_one_time_and_holds_up_no_other() -> None:
    wishes = [Wish(integration_ids=ids) for ids in ("a", "ab", "b", "c")]
    moments = assign_times(wishes, spread(daily_cap=1), {})
    days = [local_day(moment, BERLIN).day for moment in moments]
    assert days == [1, 2, 3, 1]


def test_a_row_does_not_overtake_one_before_it_that_was_put_off() -> None:
    """Though there would be room: the first one waits for `b`, and `a` alone could go at once."""
    hour = timedelta(hours=1)
    wishes = [Wish(integration_ids=ids) for ids in ("ab", "a")]
    taken = {"b": [START, START + hour, START + 2 * hour]}
    gapped = assign_times(wishes, spread(min_gap=hour), taken)
    assert gapped == [START + 3 * hour, START + 4 * hour]
    hourly = [time(hour) for hour in range(9, 24)]
    in_slots = assign_times(wishes, spread(min_gap=hour, walls=hourly), taken)
    assert in_slots == [START + 3 * hour, START + 4 * hour]
    capped = assign_times(wishes, spread(daily_cap=1), {"b": [START]})
    assert [local_day(moment, BERLIN).day for moment in capped] == [2, 3]


def test_a_gap_of_parts_of_a_second_is_not_undercut() -> None:
    found = spread(interval=timedelta(0), min_gap=timedelta(seconds=90.5))
    assert assign_times([Wish(integration_ids=["a"])] * 2, found, {})[1] == START + timedelta(
        seconds=91
    )


def test_jitter_goes_both_ways_and_differs_by_seed() -> None:
    hour = timedelta(hours=1)
    rows = [Wish()] * 50
    seven, eight = (assign_times(rows, spread(jitter=hour, seed=seed), {}) for seed in (7, 8))
    plain = assign_times(rows, spread(), {})
    shifts = [moment - due for moment, due in zip(seven, plain, strict=True)]
    assert min(shifts) < timedelta(0) < max(shifts)
    assert seven != eight


def test_what_finds_no_place_lies_at_the_end_of_our_calendar() -> None:
    century = timedelta(days=31)
    moments = assign_times([Wish(integration_ids=["a"])] * 1000, spread(min_gap=century), {})
    assert moments[0] == START
    assert moments[-1] >= LATEST


@given(WISHES, spreads(), TAKEN)
def test_the_same_request_has_the_same_times(
    wishes: list[Wish], found: Spread, taken: dict[str, list[datetime]]
) -> None:
    assert assign_times(wishes, found, taken) == assign_times(wishes, found, taken)


@given(WISHES, spreads(), TAKEN)
def test_own_times_are_untouched_and_others_are_whole_seconds(
    wishes: list[Wish], found: Spread, taken: dict[str, list[datetime]]
) -> None:
    moments = assign_times(wishes, found, taken)
    for wish, moment in zip(wishes, moments, strict=True):
        assert wish.own in {None, moment}
        assert moment.microsecond == 0


@given(WISHES, spreads(), TAKEN)
def test_no_day_of_an_integration_gets_more_than_its_cap(
    wishes: list[Wish], found: Spread, taken: dict[str, list[datetime]]
) -> None:
    """Of its own accord: own times and what was there before may fill it beyond."""
    if found.daily_cap is None:
        return
    for name, moments in by_integration(wishes, assign_times(wishes, found, taken)).items():
        given_days = Counter(local_day(each, found.zone) for each in fixed(wishes, taken, name))
        ours = Counter(local_day(each, found.zone) for each in moments)
        assert all(ours[day] + given_days[day] <= found.daily_cap for day in ours)


@given(WISHES, spreads(), TAKEN)
def test_no_post_comes_closer_to_another_than_the_gap(
    wishes: list[Wish], found: Spread, taken: dict[str, list[datetime]]
) -> None:
    for name, moments in by_integration(wishes, assign_times(wishes, found, taken)).items():
        apart = [later - one for one, later in pairwise(sorted(moments))]
        apart += [abs(each - other) for each in moments for other in fixed(wishes, taken, name)]
        assert all(span >= found.min_gap for span in apart)


@given(WISHES, spreads(jitter=False), TAKEN)
def test_without_jitter_each_integration_keeps_the_order_of_its_rows(
    wishes: list[Wish], found: Spread, taken: dict[str, list[datetime]]
) -> None:
    for moments in by_integration(wishes, assign_times(wishes, found, taken)).values():
        assert moments == sorted(moments)


@given(WISHES, spreads(jitter=False), TAKEN)
def test_without_jitter_nothing_comes_before_its_time(
    wishes: list[Wish], found: Spread, taken: dict[str, list[datetime]]
) -> None:
    placed = assign_times(wishes, found, taken)
    for index, (wish, moment) in enumerate(zip(wishes, placed, strict=True)):
        if wish.own is None:
            assert moment >= found.start + (timedelta(0) if found.walls else index * found.interval)


@given(WISHES, spreads(jitter=False), TAKEN)
def test_slots_are_the_only_times_that_are_given(
    wishes: list[Wish], found: Spread, taken: dict[str, list[datetime]]
) -> None:
    if not found.walls:
        return
    for wish, moment in zip(wishes, assign_times(wishes, found, taken), strict=True):
        day: date = local_day(moment, found.zone)
        if wish.own is None:
            assert moment in {on_day(day, wall, found.zone) for wall in found.walls}


@given(WISHES, spreads())
def test_without_cap_and_gap_jitter_stays_within_its_bound(
    wishes: list[Wish], found: Spread
) -> None:
    if found.limited or found.walls:
        return
    for index, (wish, moment) in enumerate(
        zip(wishes, assign_times(wishes, found, {}), strict=True)
    ):
        if wish.own is None:
            off = abs(moment - (found.start + index * found.interval))
            assert off <= found.jitter + timedelta(seconds=1)
