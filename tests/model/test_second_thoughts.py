"""What a person does about an overdue post, in every order of events: nothing is sent twice, and
what is said of a cancelled one is true; and each way to do it wrong is found (-s prints how)."""

import os
from collections.abc import Callable

import pytest

from tests.model.explorer import Explored, explore
from tests.model.model import Model
from tests.model.person import CANCEL, RETRY
from tests.model.properties import (
    cancelled_and_sent_without_a_warning,
    cancelled_and_still_there,
    failed_without_a_reason,
    published_but_not_sent,
    sent_twice,
    sent_under_two_ids,
    settled,
)
from tests.model.protocol import Protocol
from tests.model.variants import (
    CANCELS_UPON_ABSENCE,
    CANCELS_WITHOUT_A_WARNING,
    RETRIES_WITHOUT_A_DELETE,
    RETRIES_WITHOUT_PARKING,
    RETRIES_WITHOUT_WATCHING,
)
from tests.model.world import World

Bad = Callable[[World], bool]


@pytest.fixture(scope="module", params=[(2, 1), (1, 2)], ids=["2 workers", "2 faults"])
def explored(request: pytest.FixtureRequest) -> Explored[World]:
    workers, faults = request.param
    if os.environ.get("MODEL_DEPTH"):
        workers, faults = 2, 2
    model = Model(workers=workers, faults=faults, person=frozenset({RETRY, CANCEL}))
    found = explore(model.start, model.successors)
    what = f"a person, {workers} workers, {faults} faults"
    print(f"\n{what}: {len(found.states)} states, {found.depth} steps deep")
    return found


@pytest.mark.parametrize(
    "bad",
    [
        sent_twice,
        published_but_not_sent,
        failed_without_a_reason,
        cancelled_and_sent_without_a_warning,
        cancelled_and_still_there,
    ],
)
def test_whatever_a_person_does_this_never_happens(explored: Explored[World], bad: Bad) -> None:
    trace = explored.first(bad)
    assert trace is None, f"{bad.__name__}:\n{trace}"


def test_whatever_a_person_does_the_post_can_come_to_an_end(explored: Explored[World]) -> None:
    stuck = next(explored.stuck(settled), None)
    assert stuck is None, f"no way to an end from here:\n{explored.trace(stuck or 0)}"


def test_a_retry_rests_on_postizs_own_rescue_not_restarting_the_post_at_that_moment() -> None:
    """Restarted between the word and the move, and cut off in mid-send by a status change that we
    gave up: the send leaves no trace. Docs say so; without the sweep it cannot happen."""
    model = Model(workers=1, faults=1, sweeps=True, person=frozenset({RETRY}))
    found = explore(model.start, model.successors, until=sent_under_two_ids)
    trace = found.first(sent_under_two_ids)
    assert trace is not None
    said = trace.words.index("a person says that the overdue post was not published")
    assert any("sweep restarts" in words for words in trace.words[said:])
    assert any("outlived its workflow" in words for words in trace.words[said:])
    print(f"\n{trace}")


@pytest.mark.parametrize(
    ("broken", "faults", "bad"),
    [
        (RETRIES_WITHOUT_A_DELETE, 1, sent_twice),
        (RETRIES_WITHOUT_PARKING, 1, sent_twice),
        (RETRIES_WITHOUT_WATCHING, 1, sent_twice),
        (CANCELS_WITHOUT_A_WARNING, 0, cancelled_and_sent_without_a_warning),
        (CANCELS_UPON_ABSENCE, 2, cancelled_and_still_there),
    ],
    ids=[
        "retried without a delete",
        "retried without parking",
        "retried without watching",
        "cancelled without a warning",
        "cancelled upon absence",
    ],
)
def test_each_way_to_do_it_wrong_is_found(broken: Protocol, faults: int, bad: Bad) -> None:
    model = Model(protocol=broken, workers=1, faults=faults, person=frozenset({RETRY, CANCEL}))
    found = explore(model.start, model.successors, until=bad)
    trace = found.first(bad)
    assert trace is not None, "the check did not find it"
    print(f"\n{trace}")
