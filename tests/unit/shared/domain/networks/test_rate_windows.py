"""Rates: which posts are more than a channel takes: compared with counting every window by hand."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.networks.rate_windows import NO_ROW, find_excess_rows

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOURS = st.lists(st.integers(0, 60), max_size=25)


@given(before=HOURS, rows=HOURS, most=st.integers(0, 6))
def test_a_row_is_one_too_many_exactly_where_a_window_that_holds_it_is_too_full(
    before: list[int], rows: list[int], most: int
) -> None:
    dated = sorted(
        [(NOON + timedelta(hours=hour), NO_ROW) for hour in before]
        + [(NOON + timedelta(hours=hour), number) for number, hour in enumerate(rows)]
    )
    expected = []
    for place, (moment, row) in enumerate(dated):
        up_to = [one for one in dated[: place + 1] if one[1] != NO_ROW]
        counted = [one[0] for one in dated if one[1] == NO_ROW] + [one[0] for one in up_to]
        windows = [
            sum(begin <= one < begin + DAY for one in counted)
            for begin in counted
            if begin <= moment < begin + DAY
        ]
        if row != NO_ROW and max(windows) > most:
            expected.append(row)
    assert list(find_excess_rows(dated, most, DAY)) == expected
