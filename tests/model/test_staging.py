"""Staging in every order of events: what is adopted is sent once, is ours, and is never litter."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.model.explorer import Explored, explore
from tests.model.staging import Model, Protocol, World, lost, settled, swapped_or_twice

SAME, DIFFERENT = "aa", "ab"  # two posts that look alike in Postiz, and what is in them


def _explored(model: Model) -> Explored[World]:
    found = explore(model.start, model.successors)
    print(f"\n{model}: {len(found.states)} states, {found.depth} steps deep")
    return found


@pytest.fixture(scope="module", params=[("a", 3), (SAME, 1), (DIFFERENT, 1)])
def explored(request: pytest.FixtureRequest) -> tuple[str, Explored[World]]:
    wholes, faults = request.param
    return wholes, _explored(Model(wholes=wholes, faults=faults))


def test_no_content_is_sent_more_often_than_it_was_asked_for(
    explored: tuple[str, Explored[World]],
) -> None:
    wholes, found = explored
    trace = found.first(partial(swapped_or_twice, wholes))
    assert trace is None, str(trace)


def test_no_draft_that_a_post_was_given_is_deleted_as_litter(
    explored: tuple[str, Explored[World]],
) -> None:
    _, found = explored
    trace = found.first(lost)
    assert trace is None, str(trace)


def test_from_everywhere_all_can_be_published_and_no_litter_be_left(
    explored: tuple[str, Explored[World]],
) -> None:
    _, found = explored
    stuck = next(found.stuck(settled), None)
    assert stuck is None, str(found.trace(stuck or 0))


def _found(model: Model, bad: Callable[[World], bool], what: str) -> None:
    trace = explore(model.start, model.successors, until=bad).first(bad)
    assert trace is not None, f"the check did not find it: {what}"
    print(f"\n{what}:\n{trace}")


def test_taking_what_looks_alike_for_the_same_sends_one_clip_twice() -> None:
    model = Model(wholes=DIFFERENT, faults=1, protocol=Protocol(tells_apart=False))
    _found(model, partial(swapped_or_twice, DIFFERENT), "what looks alike was not told apart")


def test_keeping_what_was_seen_of_a_call_that_others_have_ended_publishes_twice() -> None:
    model = Model(wholes="a", faults=2, protocol=Protocol(asks_for_the_call=False))
    _found(model, partial(swapped_or_twice, "a"), "kept too late")


def test_deleting_litter_of_a_call_that_is_still_looked_at_loses_what_is_adopted() -> None:
    model = Model(wholes="a", faults=1, protocol=Protocol(litter_waits=False))
    _found(model, lost, "litter was deleted too early")
