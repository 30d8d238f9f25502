"""What must never happen, and where a run may end."""

from shared.domain.publishing.reconciliation import QUEUE
from shared.domain.publishing.states import PostState
from tests.model.postiz import At
from tests.model.world import World


def sent_twice(world: World) -> bool:
    return sum(remote.sends for remote in world.drafts) > 1


def sent_under_two_ids(world: World) -> bool:
    return sum(remote.sends > 0 for remote in world.drafts) > 1


def published_but_not_sent(world: World) -> bool:
    return world.row.state is PostState.PUBLISHED and not any(one.sends for one in world.drafts)


def cancelled_and_sent_without_a_warning(world: World) -> bool:
    cancelled = world.row.state is PostState.CANCELLED and not world.row.warned
    return cancelled and any(remote.sends for remote in world.drafts)


def cancelled_and_still_there(world: World) -> bool:
    """Nothing of ours would ever delete it."""
    cancelled = world.row.state is PostState.CANCELLED
    return cancelled and not world.drafts[world.row.draft].deleted


def published_in_another_revision(world: World) -> bool:
    """Than the last one that a person was promised."""
    row = world.row
    sent = (remote.revision for remote in world.drafts if remote.sends)
    return row.state is PostState.PUBLISHED and any(revision != row.wanted for revision in sent)


def sent_unseen(world: World) -> bool:
    """In a revision that nobody had before them when they approved it."""
    row = world.row
    sent = (remote.revision for remote in world.drafts if remote.sends)
    return row.asks and any(revision not in row.blessed for revision in sent)


def failed_without_a_reason(world: World) -> bool:
    return world.row.state is PostState.FAILED and not world.row.reason


def settled(world: World) -> bool:
    """`scheduled` is no end here: the post is due, so it must come to be one of these."""
    return world.row.state in (PostState.PUBLISHED, PostState.FAILED, PostState.CANCELLED)


def queued_for_ever(world: World) -> bool:
    """`scheduled` with us, QUEUE in Postiz, and no workflow there that would ever send it."""
    if world.row.state is not PostState.SCHEDULED:
        return False
    remote = world.drafts[world.row.draft]
    return remote.state == QUEUE and remote.workflow == At.NONE and not world.adrift


def left_behind_in_the_queue(world: World) -> bool:
    """A draft that we buried, though it still stands in Postiz, to be published in 2099."""
    return any(
        remote.far and not remote.deleted and remote.state == QUEUE
        for number, remote in enumerate(world.drafts)
        if number != world.row.draft
    )
