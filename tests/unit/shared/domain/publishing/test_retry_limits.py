"""What keeps coming to nothing is tried later and later, and comes to an end."""

from datetime import timedelta
from itertools import count, takewhile

import pytest

from shared.domain.publishing.retry_limits import (
    DELETES,
    ORPHAN_DELETES,
    REFUSED_MOVES,
    UNCLEAR_MOVES,
    Tries,
)


def pauses(tries: Tries) -> list[timedelta]:
    numbers = (tries.pause(number) for number in count(1))
    return [pause for pause in takewhile(lambda pause: pause is not None, numbers) if pause]


@pytest.mark.parametrize("tries", [DELETES, ORPHAN_DELETES, REFUSED_MOVES, UNCLEAR_MOVES])
def test_the_pauses_grow_to_the_longest_and_end(tries: Tries) -> None:
    waited = pauses(tries)
    assert len(waited) == tries.most - 1
    assert waited[0] == tries.first
    assert waited == sorted(waited)
    assert max(waited) <= tries.longest


def test_how_long_each_goes_on() -> None:
    minutes = [
        sum(pauses(tries), timedelta()).total_seconds() / 60 for tries in (DELETES, ORPHAN_DELETES)
    ]
    assert [round(each) for each in minutes] == [24, 1345]


def test_what_never_left_costs_no_try() -> None:
    assert DELETES.pause(0) == DELETES.first
