"""The check finds what is wrong with each protocol that is broken on purpose (-s prints how)."""

import pytest

from shared.domain.publishing.states import PostState
from tests.model.explorer import Trace, explore
from tests.model.model import Model
from tests.model.postiz import DELETE, PUT
from tests.model.properties import queued_for_ever, sent_twice, sent_under_two_ids, settled
from tests.model.protocol import Protocol
from tests.model.variants import (
    DELETES_WHAT_WAS_MOVED,
    DELETES_WITHOUT_PARKING,
    ENDS_NOTHING,
    FREES_THE_UNMOVABLE,
    RELEASES_WITHOUT_SETTLING,
    REPEATS_THE_STATUS_CHANGE,
    STAGES_ANEW_UPON_ABSENCE,
    UNDOES_UNCLEAR_MOVES,
)
from tests.model.world import World


def _sent_twice(model: Model) -> Trace[World] | None:
    found = explore(model.start, model.successors, until=sent_twice)
    return found.first(sent_twice)


def _shown(what: str, trace: Trace[World] | None) -> Trace[World]:
    assert trace is not None, f"the check did not find it: {what}"
    print(f"\n{what}:\n{trace}")
    return trace


def _count(trace: Trace[World], words: str) -> int:
    return sum(words in each for each in trace.words)


def test_deleting_without_parking_publishes_twice() -> None:
    model = Model(protocol=DELETES_WITHOUT_PARKING, workers=1, faults=1)
    trace = _shown("deleted without parking", _sent_twice(model))
    assert sent_under_two_ids(trace.last)
    assert trace.last.drafts[0].deleted, "the delete was acknowledged, and was no fence"
    assert _count(trace, f"sends the {DELETE}") == 1


def test_repeating_the_status_change_publishes_twice() -> None:
    model = Model(protocol=REPEATS_THE_STATUS_CHANGE, workers=1, faults=1)
    trace = _shown("the status change was repeated", _sent_twice(model))
    assert not sent_under_two_ids(trace.last)
    assert _count(trace, f"sends the {PUT}") == 2


def test_staging_anew_upon_absence_publishes_twice() -> None:
    model = Model(protocol=STAGES_ANEW_UPON_ABSENCE, workers=1, faults=1)
    trace = _shown("staged anew upon absence", _sent_twice(model))
    assert sent_under_two_ids(trace.last)
    assert _count(trace, "sees nothing") == 1


def test_staging_anew_what_could_not_be_moved_publishes_twice() -> None:
    """A refused move proves nothing about the status change, which comes when it likes."""
    model = Model(protocol=FREES_THE_UNMOVABLE, workers=1, faults=2)
    trace = _shown("staged anew what could not be moved", _sent_twice(model))
    assert sent_under_two_ids(trace.last)
    assert trace.last.drafts[0].unmovable


def test_deleting_whatever_was_moved_publishes_twice() -> None:
    """The move is acknowledged, and the send was under way before it."""
    model = Model(protocol=DELETES_WHAT_WAS_MOVED, workers=1, faults=1)
    trace = _shown("deleted whatever was moved", _sent_twice(model))
    assert sent_under_two_ids(trace.last)
    assert trace.last.drafts[0].far


@pytest.mark.parametrize("stubborn", ["unmovable", "undeletable"])
def test_without_an_end_of_the_tries_a_post_never_settles(stubborn: str) -> None:
    model = Model(protocol=ENDS_NOTHING, workers=1, faults=2)
    found = explore(model.start, model.successors)
    stuck = (found.states[number] for number in found.stuck(settled))
    assert any(getattr(remote, stubborn) for world in stuck for remote in world.drafts)


def test_taking_a_move_without_a_reply_for_a_refused_one_leaves_a_post_in_2099() -> None:
    """What it took for a handover is dated 2099 by the move, which comes after all."""
    model = Model(protocol=UNDOES_UNCLEAR_MOVES, workers=1, faults=2)
    found = explore(model.start, model.successors)
    stuck = (number for number in found.stuck(settled) if _scheduled(found.states[number]))
    number = next(stuck, None)
    assert number is not None, "the check did not find it"
    _shown("a move without a reply was taken for a refused one", found.trace(number))
    assert found.first(sent_twice) is None


def _scheduled(world: World) -> bool:
    return world.row.state is PostState.SCHEDULED


def test_releasing_without_settling_leaves_a_post_in_the_queue_for_ever() -> None:
    """No fault is needed, and nothing is sent twice: the post is never sent, and never settles."""
    model = Model(protocol=RELEASES_WITHOUT_SETTLING, workers=1, faults=0)
    found = explore(model.start, model.successors)
    stuck = [number for number in found.stuck(settled) if queued_for_ever(found.states[number])]
    assert stuck, "the check did not find it: released without settling"
    trace = _shown("released without settling", found.trace(stuck[0]))
    assert trace.last.drafts[0].sends == 0
    assert all(queued_for_ever(step.state) for step in model.successors(trace.last))
    assert found.first(sent_twice) is None


def test_with_the_settle_time_no_post_stays_in_the_queue_for_ever() -> None:
    model = Model(workers=1, faults=0)
    assert explore(model.start, model.successors).first(queued_for_ever) is None


@pytest.mark.parametrize(
    "broken",
    [DELETES_WITHOUT_PARKING, REPEATS_THE_STATUS_CHANGE, RELEASES_WITHOUT_SETTLING],
    ids=["deletes without parking", "repeats the status change", "releases without settling"],
)
def test_a_model_with_whole_calls_proves_too_much(broken: Protocol) -> None:
    """It finds nothing wrong with what is wrong: it would call a deletion a fence."""
    model = Model(protocol=broken, faults=3, whole_calls=True)
    found = explore(model.start, model.successors)
    assert found.first(sent_twice) is None
    assert next(found.stuck(settled), None) is None
