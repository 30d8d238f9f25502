"""What a person may do about a post that Postiz has: take it back, or have it tried again."""

from collections.abc import Iterator

from shared.domain.publishing.reconciliation import RELEASING
from shared.domain.publishing.states import PostState
from tests.model.explorer import Step
from tests.model.postiz import At, Remote
from tests.model.rows import Row
from tests.model.world import World

RETRY, CANCEL = "retry", "cancel"
IDLE = (At.NONE, At.ASLEEP_TO_2099)


def person_steps(world: World, actions: frozenset[str]) -> Iterator[Step[World]]:
    row = world.row
    if row.state is not PostState.SCHEDULED:
        return
    if CANCEL in actions:
        words = "a person takes the post back"
        yield Step(words, world._replace(row=row.moved(PostState.CANCELLING)))
    if RETRY in actions and row.overdue and _is_true(world):
        words = "a person says that the overdue post was not published"
        yield Step(words, world._replace(row=retracted(row)))


def retracted(row: Row) -> Row:
    return row.moved(PostState.RELEASING, handover=RELEASING, age=0, word=True, watched=-1, tries=0)


def _is_true(world: World) -> bool:
    """Nothing was sent, and nothing is about to be; requests of ours may still be adrift."""
    return not any(remote.sends or is_awake(remote) for remote in world.drafts)


def is_awake(remote: Remote) -> bool:
    """Something inside Postiz is on its way to send the post."""
    return bool(remote.loose) or remote.workflow not in IDLE
