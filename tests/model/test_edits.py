"""Edits at every moment, in every order of events: nothing is sent twice, and what is sent is the
last revision that was promised; and each way to do it wrong is found (-s prints how)."""

import os
from collections.abc import Callable

import pytest

from tests.model.explorer import Explored, explore
from tests.model.model import Model
from tests.model.person import CANCEL, EDIT
from tests.model.properties import (
    cancelled_and_sent_without_a_warning,
    published_but_not_sent,
    published_in_another_revision,
    sent_twice,
    settled,
)
from tests.model.protocol import Protocol
from tests.model.variants import (
    EDITS_WITHOUT_TAKING_BACK,
    RELEASES_BEFORE_THE_EDIT,
    TAKES_BACK_LATE,
    TAKES_BACK_UPON_ABSENCE,
)
from tests.model.world import World

Bad = Callable[[World], bool]


#: Workers, faults, and edits. The last has some five million states, and so is run on demand.
DEPTHS = {"2 workers": (2, 0, 2), "1 fault": (1, 1, 2), "2 workers, 2 faults": (2, 2, 1)}
ASKED = list(DEPTHS)[2:] if os.environ.get("MODEL_DEPTH") else list(DEPTHS)[:2]


@pytest.fixture(scope="module", params=ASKED)
def explored(request: pytest.FixtureRequest) -> Explored[World]:
    workers, faults, edits = DEPTHS[request.param]
    actions = frozenset({EDIT, CANCEL})
    model = Model(workers=workers, faults=faults, ahead=True, person=actions, most_edits=edits)
    found = explore(model.start, model.successors)
    print(f"\n{request.param}, {edits} edits: {len(found.states)} states, {found.depth} deep")
    return found


@pytest.mark.parametrize(
    "bad",
    [
        sent_twice,
        published_in_another_revision,
        published_but_not_sent,
        cancelled_and_sent_without_a_warning,
    ],
)
def test_whatever_is_edited_when_this_never_happens(explored: Explored[World], bad: Bad) -> None:
    trace = explored.first(bad)
    assert trace is None, f"{bad.__name__}:\n{trace}"


def test_whatever_is_edited_the_post_can_come_to_an_end(explored: Explored[World]) -> None:
    stuck = next(explored.stuck(settled), None)
    assert stuck is None, f"no way to an end from here:\n{explored.trace(stuck or 0)}"


def test_an_edit_in_the_calendar_is_among_what_is_explored(explored: Explored[World]) -> None:
    def taken_back_and_published(world: World) -> bool:
        deleted = any(remote.deleted and remote.state == "QUEUE" for remote in world.drafts)
        return deleted and world.row.state == "published" and world.row.revision > 1

    trace = explored.first(taken_back_and_published)
    assert trace is not None
    print(f"\n{trace}")


@pytest.mark.parametrize(
    ("broken", "faults", "bad"),
    [
        (EDITS_WITHOUT_TAKING_BACK, 0, sent_twice),
        (TAKES_BACK_UPON_ABSENCE, 1, sent_twice),
        (TAKES_BACK_LATE, 0, sent_twice),
        (RELEASES_BEFORE_THE_EDIT, 0, published_in_another_revision),
    ],
    ids=["not taken back", "without proof", "after its time", "released before the edit"],
)
def test_each_way_to_do_it_wrong_is_found(broken: Protocol, faults: int, bad: Bad) -> None:
    model = Model(protocol=broken, workers=1, faults=faults, ahead=True, person=frozenset({EDIT}))
    trace = explore(model.start, model.successors, until=bad).first(bad)
    assert trace is not None, "the check did not find it"
    print(f"\n{trace}")
