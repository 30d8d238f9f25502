"""The days that a page of the calendar shows."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from web.pages.calendar import period_of

DAYS = some.dates(min_value=date(2000, 1, 1), max_value=date(2099, 1, 1))


@pytest.mark.parametrize(
    ("view", "chosen", "first", "days", "title"),
    [
        ("day", date(2026, 11, 28), date(2026, 11, 28), 1, "Saturday, 28 November 2026"),
        ("week", date(2026, 11, 28), date(2026, 11, 23), 7, "23 November to 29 November 2026"),
        ("month", date(2026, 11, 28), date(2026, 10, 26), 42, "November 2026"),
        ("month", date(2027, 2, 1), date(2027, 2, 1), 28, "February 2027"),
    ],
)
def test_it_begins_on_a_monday_unless_it_is_a_day(
    view: str, chosen: date, first: date, days: int, title: str
) -> None:
    period = period_of(view, chosen)
    assert (period.first, period.days, period.title) == (first, days, title)


@given(some.sampled_from(["day", "week", "month"]), DAYS)
def test_each_shows_its_day_and_leads_to_those_beside_it(view: str, chosen: date) -> None:
    period = period_of(view, chosen)
    assert period.first <= chosen < period.first + timedelta(days=period.days)
    assert period.before < chosen < period.after
    assert period_of(view, period.after).before <= chosen
