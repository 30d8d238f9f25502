"""What a person may do about a post: edit it, take it back, or have it tried again."""

from collections.abc import Iterator

from shared.domain.publishing.reconciliation import RELEASING
from shared.domain.publishing.states import PostState
from tests.model.explorer import Step
from tests.model.postiz import At, Remote
from tests.model.protocol import Protocol
from tests.model.rows import AHEAD, Row
from tests.model.world import World

RETRY, CANCEL, EDIT, APPROVE = "retry", "cancel", "edit", "approve"
IDLE = (At.NONE, At.ASLEEP_TO_2099)


def person_steps(
    world: World, actions: frozenset[str], protocol: Protocol, *, most_edits: int
) -> Iterator[Step[World]]:
    row = world.row
    if EDIT in actions:
        yield from _edit_steps(world, protocol, most_edits)
    if APPROVE in actions:
        yield from _approval_steps(world, protocol)
    if CANCEL in actions and row.state in (PostState.SCHEDULED, PostState.RESCHEDULING):
        words = "a person takes the post back"
        cancelling = row.moved(PostState.CANCELLING, wanted=row.revision)
        yield Step(words, world._replace(row=cancelling))
    if row.state is not PostState.SCHEDULED:
        return
    if RETRY in actions and row.overdue and _is_true(world):
        words = "a person says that the overdue post was not published"
        yield Step(words, world._replace(row=retracted(row)))


def _approval_steps(world: World, protocol: Protocol) -> Iterator[Step[World]]:
    """As in shared/approvals/decisions.py: what is decided about is what was shown."""
    row = world.row
    if row.state is not PostState.WAITING_APPROVAL:
        return
    if row.shown != row.wanted:
        words = f"a person opens the page, which shows revision {row.wanted}"
        yield Step(words, world._replace(row=row._replace(shown=row.wanted)))
    if row.shown == row.wanted or (row.shown and protocol.approves_unseen):
        blessed = row.blessed | {row.shown}
        approved = row._replace(approved=row.wanted, blessed=blessed).moved(PostState.PENDING)
        yield Step(f"a person approves what they see: {row.shown}", world._replace(row=approved))
    rejected = row.moved(PostState.CANCELLED, wanted=row.revision)
    yield Step("a person rejects it", world._replace(row=rejected))


def _edit_steps(world: World, protocol: Protocol, most_edits: int) -> Iterator[Step[World]]:
    """As in shared/posts/edits.py: it is promised at once, and takes effect when it may."""
    row = world.row
    if row.wanted != row.revision and row.state in _AT_ONCE:
        yield Step("the edit that waited takes effect", world._replace(row=edited(row)))
    in_calendar = row.state is PostState.SCHEDULED and row.date == AHEAD and not row.overdue
    waits = row.state in (PostState.STAGING, PostState.RESCHEDULING)
    if row.wanted > most_edits or not (in_calendar or waits or row.state in _AT_ONCE):
        return
    promised = row._replace(wanted=row.wanted + 1)
    if not protocol.asks_anew and row.approved == row.wanted:
        promised = promised._replace(approved=promised.wanted)
    if row.state in _AT_ONCE:
        promised = edited(promised)
    elif in_calendar:
        promised = promised.moved(PostState.RESCHEDULING)
        if not protocol.takes_back:
            promised = edited(promised)
    yield Step(f"a person makes revision {promised.wanted}", world._replace(row=promised))


_AT_ONCE = (PostState.PENDING, PostState.WAITING_APPROVAL, PostState.STAGED)


def edited(row: Row) -> Row:
    """The draft with the old values is left; it is a draft for ever, as it was never released, or
    it is gone."""
    if row.state not in (PostState.PENDING, PostState.WAITING_APPROVAL):
        row = row.moved(PostState.PENDING, draft=-1, handover="", age=0, tries=0)
    return row._replace(revision=row.wanted).asked()


def retracted(row: Row) -> Row:
    return row.moved(PostState.RELEASING, handover=RELEASING, age=0, word=True, watched=-1, tries=0)


def _is_true(world: World) -> bool:
    """Nothing was sent, and nothing is about to be; requests of ours may still be adrift."""
    return not any(remote.sends or is_awake(remote) for remote in world.drafts)


def is_awake(remote: Remote) -> bool:
    """Something inside Postiz is on its way to send the post."""
    return bool(remote.loose) or remote.workflow not in IDLE
