"""How late the machine was when a call was noted: neither before that, nor long after it."""

import pytest

from tests.timing.delays import Delay, delay_at, delays_in

ROWS = [
    {"query": "sent=1000.0", "time": 1000.25},
    {"query": "page=0", "time": 1003.0},
    {"query": "sent=1010.0", "time": 1010.01},
]


def test_only_our_own_calls_are_measured() -> None:
    assert delays_in(ROWS) == [
        Delay(sent=1000.0, noted=1000.25),
        Delay(sent=1010.0, noted=1010.01),
    ]


@pytest.mark.parametrize(
    ("moment", "late"),
    [(999.9, 0), (1000.1, 0.25), (1001.2, 0.25), (1001.3, 0), (1010.5, 0.01), (1012.0, 0)],
)
def test_a_call_may_be_as_late_as_the_latest_of_the_second_before_it(
    moment: float, late: float
) -> None:
    assert delay_at(moment, delays_in(ROWS)) == pytest.approx(late)
