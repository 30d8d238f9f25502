"""The protocol, in every order of events with so many faults: nothing twice, nothing lost."""

import os
from collections.abc import Callable

import pytest

from tests.model.explorer import Explored, Trace, explore
from tests.model.model import Model
from tests.model.pressroom import LEFT
from tests.model.properties import (
    failed_without_a_reason,
    left_behind_in_the_queue,
    published_but_not_sent,
    sent_twice,
    sent_under_two_ids,
    settled,
)
from tests.model.variants import PARKS_AT_ONCE, TAKES_ANY_QUEUE_FOR_A_HANDOVER
from tests.model.world import World

#: How many faults a run may meet. Each one more takes about 15 times as long.
DEPTH = int(os.environ.get("MODEL_DEPTH", "2"))


@pytest.fixture(scope="module")
def explored() -> Explored[World]:
    return _explored(Model(faults=DEPTH))


def _explored(model: Model) -> Explored[World]:
    found = explore(model.start, model.successors)
    what = f"{model.workers} workers, {model.faults} faults{', with the sweep' * model.sweeps}"
    print(f"\n{what}: {len(found.states)} states, {found.depth} steps deep")
    return found


def _never(found: Explored[World], bad: Callable[[World], bool]) -> None:
    trace = found.first(bad)
    assert trace is None, f"{bad.__name__}:\n{trace}"


def _first_stubborn(found: Explored[World], reason: str) -> Trace[World] | None:
    def ended(world: World) -> bool:
        stubborn = any(remote.unmovable or remote.undeletable for remote in world.drafts)
        return stubborn and world.row.reason == reason

    return found.first(ended)


def _always_settles(found: Explored[World]) -> None:
    stuck = next(found.stuck(settled), None)
    assert stuck is None, f"no way to an end from here:\n{found.trace(stuck or 0)}"


def test_a_post_is_sent_at_most_once(explored: Explored[World]) -> None:
    _never(explored, sent_twice)


def test_what_we_call_published_was_sent(explored: Explored[World]) -> None:
    _never(explored, published_but_not_sent)


def test_what_we_call_failed_has_a_reason(explored: Explored[World]) -> None:
    _never(explored, failed_without_a_reason)


@pytest.mark.parametrize("reason", ["outcome_unknown", LEFT])
def test_what_can_be_neither_moved_nor_deleted_is_among_what_is_explored(
    explored: Explored[World], reason: str
) -> None:
    """It ends; and what was left in 2099 is tried again without a word that it is not live."""
    stubborn = _first_stubborn(explored, reason)
    assert stubborn is not None
    print(f"\n{reason}:\n{stubborn}")


def test_a_settled_state_can_be_reached_from_every_state(explored: Explored[World]) -> None:
    _always_settles(explored)


def test_taking_any_queue_for_a_handover_leaves_a_post_in_2099() -> None:
    """The status change and the move cross: what was seen at the old date wakes in 2099."""
    found = _explored(Model(protocol=TAKES_ANY_QUEUE_FOR_A_HANDOVER, faults=2))
    stuck = next(found.stuck(settled), None)
    assert stuck is not None
    print(f"\nscheduled for ever:\n{found.trace(stuck)}")


def test_a_third_worker_changes_nothing() -> None:
    found = _explored(Model(workers=3, faults=min(DEPTH, 2)))
    _never(found, sent_twice)
    _never(found, published_but_not_sent)


def test_at_most_once_does_not_rest_on_the_90_seconds() -> None:
    _never(_explored(Model(protocol=PARKS_AT_ONCE, faults=min(DEPTH, 2))), sent_twice)


def test_without_faults_every_post_can_still_be_published() -> None:
    found = _explored(Model(faults=0))
    assert next(found.stuck(lambda world: world.row.state == "published"), None) is None


def test_a_draft_that_was_parked_may_be_buried_because_it_is_absent() -> None:
    """Even where our delete never ran and the look was mistaken, nothing is sent a second time."""
    found = _explored(Model(workers=1, faults=3))
    trace = found.first(left_behind_in_the_queue)
    assert trace is not None, "the case has to be among those that are explored"
    print(f"\nburied upon absence, though it waits in 2099:\n{trace}")
    _never(found, sent_twice)


def test_with_the_missing_post_sweep_postiz_itself_may_send_a_post_twice() -> None:
    model = Model(workers=1, faults=0, sweeps=True)
    found = explore(model.start, model.successors, until=sent_twice)
    trace = found.first(sent_twice)
    assert trace is not None
    print(f"\nPostiz's own doubling, without any fault:\n{trace}")


def test_with_the_missing_post_sweep_a_post_is_still_never_sent_under_two_ids() -> None:
    found = _explored(Model(faults=DEPTH - 1, sweeps=True))
    _never(found, sent_under_two_ids)
    _never(found, published_but_not_sent)
