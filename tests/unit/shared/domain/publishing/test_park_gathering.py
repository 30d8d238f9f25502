"""Moves to 2099 wait for each other, the longer the fewer calls are left."""

from datetime import timedelta

import pytest

from shared.domain.publishing.park_gathering import gathering_time


@pytest.mark.parametrize(
    ("left", "seconds"),
    [(90, 3), (40, 3), (30, 4), (20, 6), (10, 12), (5, 24), (2, 60), (1, 120), (0, 0), (None, 4)],
)
def test_the_fewer_calls_are_left_the_longer_they_gather(left: int | None, seconds: float) -> None:
    assert gathering_time(left, timedelta(seconds=90)) == timedelta(seconds=seconds)
