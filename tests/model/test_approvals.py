"""Approvals and edits at every moment, in every order of events: what is sent is what a person had
before them when they approved it; and each way to do it wrong is found (-s prints how)."""

from collections.abc import Callable

import pytest

from tests.model.explorer import Explored, explore
from tests.model.model import Model
from tests.model.person import APPROVE, EDIT
from tests.model.properties import (
    published_but_not_sent,
    published_in_another_revision,
    sent_twice,
    sent_unseen,
    settled,
)
from tests.model.protocol import Protocol
from tests.model.variants import APPROVES_UNSEEN, LETS_AN_APPROVAL_HOLD, RELEASES_BEFORE_THE_EDIT
from tests.model.world import World

Bad = Callable[[World], bool]
PERSON = frozenset({EDIT, APPROVE})


@pytest.fixture(scope="module")
def explored() -> Explored[World]:
    model = Model(workers=2, faults=0, ahead=True, person=PERSON)
    found = explore(model.start, model.successors)
    print(f"\n{len(found.states)} states, {found.depth} deep")
    return found


@pytest.mark.parametrize(
    "bad",
    [sent_unseen, sent_twice, published_in_another_revision, published_but_not_sent],
)
def test_whatever_is_approved_when_this_never_happens(explored: Explored[World], bad: Bad) -> None:
    trace = explored.first(bad)
    assert trace is None, f"{bad.__name__}:\n{trace}"


def test_the_post_can_come_to_an_end(explored: Explored[World]) -> None:
    stuck = next(explored.stuck(settled), None)
    assert stuck is None, f"no way to an end from here:\n{explored.trace(stuck or 0)}"


def test_what_was_approved_twice_is_among_what_is_explored(explored: Explored[World]) -> None:
    def edited_once_approved(world: World) -> bool:
        return world.row.state == "published" and world.row.blessed == {1, 2}

    assert explored.first(edited_once_approved) is not None


@pytest.mark.parametrize(
    "broken",
    [LETS_AN_APPROVAL_HOLD, APPROVES_UNSEEN, RELEASES_BEFORE_THE_EDIT],
    ids=["an approval holds for an edit", "whatever it is by now", "released before the edit"],
)
def test_each_way_to_do_it_wrong_is_found(broken: Protocol) -> None:
    def wrong(world: World) -> bool:
        return sent_unseen(world) or published_in_another_revision(world)

    model = Model(protocol=broken, workers=1, faults=0, ahead=True, person=PERSON)
    trace = explore(model.start, model.successors, until=wrong).first(wrong)
    assert trace is not None, "the check did not find it"
    print(f"\n{trace}")
