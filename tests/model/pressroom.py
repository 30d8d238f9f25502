"""What our workers may do next: each step one commit or one call, as in worker/*.py."""

from collections.abc import Iterator
from typing import Any

from shared.domain.publishing.reconciliation import (
    CANCELLED_LATE,
    DELETED,
    DELETING,
    PARKED,
    PARKING,
    Bury,
    Cancelled,
    Delete,
    Errored,
    Failed,
    GiveUp,
    HandedOver,
    Overdue,
    Park,
    Published,
    Watch,
)
from shared.domain.publishing.reconciliation import RELEASING as HANDED
from shared.domain.publishing.states import PostState
from tests.model import postiz, rows
from tests.model.explorer import Step
from tests.model.person import edited
from tests.model.postiz import Remote, Request
from tests.model.protocol import Decision, Protocol, ReleaseAgain, track
from tests.model.rows import Row, Seen, Worker
from tests.model.world import World

Steps = Iterator[Step[World]]
ABSENT = Seen()
STUBBORN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("move", {"unmovable": True}),
    ("delete", {"undeletable": True}),
)
TAKEN_BACK = (PostState.CANCELLING, PostState.RESCHEDULING)
#: Why a post failed that was seen in 2099 as a draft, which could not be deleted.
LEFT = "draft_left_in_postiz"


def steps_of(world: World, index: int, protocol: Protocol) -> Steps:
    """What this worker may do next."""
    match world.workers[index].doing:
        case rows.IDLE:
            yield from _claims(world, index, protocol)
        case rows.STAGING:
            yield from _stage(world, index)
        case rows.RELEASES:
            yield from _release(world, index)
        case rows.LOOKS:
            yield from _look(world, index)
        case rows.HAS_LOOKED:
            yield _decide(world, index, protocol)
        case rows.MOVES:
            yield from _move(world, index)
        case rows.DELETES:
            yield _call(world, index, rows.AWAITS_DELETE, postiz.DELETE)
        case _:
            yield from _await(world, index, protocol)


def _claims(world: World, index: int, protocol: Protocol) -> Steps:
    row = world.row
    ready = row.wanted == row.revision or not protocol.waits_for_edits
    match row.state:
        case PostState.PENDING if ready:
            staging = row.moved(PostState.STAGING)
            claimed = world.claimed(index, Worker(doing=rows.STAGING), staging)
            yield Step("a worker commits `staging`", claimed)
        case PostState.STAGED if ready and not (
            protocol.waits_for_stray and world.drafts[row.draft].stray
        ):
            releasing = row.moved(PostState.RELEASING, handover=HANDED, age=0)
            worker = Worker(doing=rows.RELEASES, draft=row.draft)
            words = f"a worker commits `releasing` of draft {row.draft + 1}"
            yield Step(words, world.claimed(index, worker, releasing))
        case PostState.RELEASING | PostState.CANCELLING | PostState.RESCHEDULING if not row.leased:
            worker = Worker(
                doing=rows.LOOKS, draft=row.draft, known=row.handover, watched=row.watched
            )
            yield Step("a worker claims the post for a look", world.claimed(index, worker, row))


# stage


def _stage(world: World, index: int) -> Steps:
    """A draft whose id we never learn, or may not keep, is litter: no status change names it."""
    idle, row = world.without_worker(index), world.row
    if not (world.workers[index].holds and row.state is PostState.STAGING):
        yield Step("a worker that lost its claim leaves a draft as litter", idle)
        return
    number = len(world.drafts)
    staged = row.moved(PostState.STAGED, draft=number, handover="staged")
    draft = Remote(revision=row.revision)
    made = idle._replace(row=staged, drafts=(*world.drafts, draft))
    yield Step(f"Postiz creates draft {number + 1}; its worker commits `staged`", made)
    for words, never in STUBBORN:
        stubborn = made._replace(drafts=(*world.drafts, draft._replace(**never)))
        yield Step(f"Postiz creates draft {number + 1}, and will never {words} it", stubborn, True)
    undone = idle._replace(row=row.moved(PostState.PENDING))
    yield Step("a staging ends unclear; its worker commits `pending`", undone, fault=True)


# release


def _release(world: World, index: int) -> Steps:
    """The last claim check, then the call; a refused connection is known to have done nothing."""
    worker, row = world.workers[index], world.row
    if not (worker.holds and row.leased and row.state is PostState.RELEASING):
        yield Step("the claim check stops a late status change", world.without_worker(index))
        return
    yield _call(world, index, rows.AWAITS_PUT, postiz.PUT)
    staged = world.without_worker(index)._replace(
        row=row.moved(PostState.STAGED, handover="staged", age=0)
    )
    words = "the connection for the status change is refused; its worker commits `staged`"
    yield Step(words, staged, fault=True)


def _call(world: World, index: int, doing: str, kind: str) -> Step[World]:
    request = Request(kind, world.workers[index].draft)
    words = f"a worker sends the {kind} of draft {request.draft + 1}"
    return Step(words, world.with_call(index, doing, request))


def _move(world: World, index: int) -> Steps:
    yield _call(world, index, rows.AWAITS_UPDATE, postiz.UPDATE)
    if _still_ours(world, world.workers[index]):
        undone = _undone(world, index)
        words = "the connection for the move is refused; nothing was moved"
        yield Step(words, _ours_to_look_at(undone, index), fault=True)


# what comes back from a call


def _await(world: World, index: int, protocol: Protocol) -> Steps:
    worker = world.workers[index]
    kind = worker.call.kind
    if worker.call.is_over:
        yield _answered(world, index, protocol)
    gone = _without_reply(world, index, protocol)
    words = f"a worker gives up on the reply to its {kind} of draft {worker.draft + 1}"
    yield Step(words, gone, fault=True)


def _answered(world: World, index: int, protocol: Protocol) -> Step[World]:
    worker = world.workers[index]
    words = f"the reply to the {worker.call.kind} of draft {worker.draft + 1} comes back"
    if worker.call.is_refused(world.drafts[worker.draft]):
        return Step(f"{words}: it is refused", _refused(world, index, protocol))
    match worker.call.kind:
        case postiz.UPDATE:
            return Step(f"{words}; `parked` is committed", _parked(world, index))
        case postiz.DELETE if not _still_ours(world, worker):
            return Step(f"{words}, to a worker without a claim", world.without_worker(index))
        case postiz.DELETE if world.row.state is PostState.RELEASING:
            return Step(f"{words}; the id is buried", _buried(world, index))
        case postiz.DELETE:
            return Step(f"{words}; `deleted` is committed", _deleted(world, index))
    return Step(words, _ours_to_look_at(world, index))


def _refused(world: World, index: int, protocol: Protocol) -> World:
    """Postiz says that it did nothing; so after the first move none is under way."""
    if world.workers[index].call.kind == postiz.UPDATE:
        return _not_moved(_undone(world, index), index, protocol)
    return _not_deleted(world, index, protocol)


def _without_reply(world: World, index: int, protocol: Protocol) -> World:
    match world.workers[index].call.kind:
        case postiz.UPDATE:
            known = _undone(world, index) if protocol.undoes_unclear_moves else world
            return _not_moved(known, index, protocol)
        case postiz.DELETE:
            return _not_deleted(world, index, protocol)
    return _ours_to_look_at(world, index)


def _undone(world: World, index: int) -> World:
    """As the move did not happen, the handover is again what it was before, if it was the first."""
    worker = world.workers[index]
    if not (_still_ours(world, worker) and worker.known == HANDED):
        return world
    return world._replace(row=world.row._replace(handover=HANDED))


def _not_moved(world: World, index: int, protocol: Protocol) -> World:
    """One try more; the last one leaves the post to a person, for it may be published yet."""
    row = world.row
    if not _still_ours(world, world.workers[index]) or protocol.most_tries is None:
        return _ours_to_look_at(world, index)
    if row.tries + 1 < protocol.most_tries:
        tried = world._replace(row=row._replace(tries=row.tries + 1))
        return _ours_to_look_at(tried, index)
    if protocol.frees_the_unmovable:
        return _buried(world, index)
    ended = row.moved(PostState.FAILED, reason="outcome_unknown")
    return world.without_worker(index)._replace(row=ended)


def _not_deleted(world: World, index: int, protocol: Protocol) -> World:
    """The last try leaves it where it is. What was seen in 2099 as a draft is dead for us; what is
    there on a person's word may be live; what was to be taken back goes on."""
    row, most = world.row, protocol.most_tries
    if not _still_ours(world, world.workers[index]) or most is None or row.tries < most:
        return _ours_to_look_at(world, index)
    if row.state in TAKEN_BACK:
        ended = row.moved(PostState.SCHEDULED, tries=0, wanted=row.revision)
    elif row.word:
        ended = row.moved(PostState.FAILED, reason="outcome_unknown")
    else:
        ended = row.moved(PostState.FAILED, reason=LEFT, draft=-1, handover="", tries=0)
    return world.without_worker(index)._replace(row=ended)


def second_thoughts(world: World) -> Steps:
    """What was left as a draft in 2099 may be tried again without a word that it is not live."""
    row = world.row
    if row.state is PostState.FAILED and row.reason == LEFT:
        again = row.moved(PostState.PENDING, reason="", age=0)
        yield Step("a person has the post tried again", world._replace(row=again))


def _parked(world: World, index: int) -> World:
    """The note is not guarded by the claim, but names its own handover."""
    parked, row = _ours_to_look_at(world, index), world.row
    if row.draft != world.workers[index].draft or row.state is not PostState.RELEASING:
        return parked
    return parked._replace(row=parked.row._replace(handover=PARKED, tries=0))


def _deleted(world: World, index: int) -> World:
    """Of what is taken back: the acknowledgement is noted; a look has to say that it is gone."""
    worker, row = world.workers[index], world.row
    after = _ours_to_look_at(world, index)
    if row.draft == worker.draft and row.state in TAKEN_BACK:
        return after._replace(row=after.row._replace(handover=DELETED))
    return after


def _ours_to_look_at(world: World, index: int) -> World:
    """The worker is done; under its claim, the post may be looked at again at once."""
    idle = world.without_worker(index)
    if _still_ours(world, world.workers[index]):
        return idle._replace(row=idle.row._replace(leased=False))
    return idle


def _still_ours(world: World, worker: Worker) -> bool:
    return worker.holds and world.row.state in (PostState.RELEASING, *TAKEN_BACK)


def _buried(world: World, index: int) -> World:
    anew: dict[str, object] = {
        "draft": -1,
        "handover": "",
        "word": False,
        "watched": -1,
        "tries": 0,
    }
    row = world.row.moved(PostState.PENDING, age=0, **anew)
    return world.without_worker(index)._replace(row=row)


# look, decide


def _look(world: World, index: int) -> Steps:
    """A look may miss a post that is there: a moved date, a disconnected channel, another key."""
    worker = world.workers[index]
    for seen, fault in _seen(world, worker.draft):
        words = f"it looks at draft {worker.draft + 1} and sees {_in_words(seen)}"
        looked = worker._replace(doing=rows.HAS_LOOKED, seen=seen)
        yield Step(words, world.with_worker(index, looked), fault)


def _seen(world: World, draft: int) -> Iterator[tuple[Seen, bool]]:
    shown = postiz.look(world.drafts[draft])
    yield (Seen(*shown), False) if shown else (ABSENT, False)
    if shown:
        yield ABSENT, True


def _in_words(seen: Seen) -> str:
    return f"{seen.state or 'nothing'}{' in 2099' if seen.far else ''}"


def _decide(world: World, index: int, protocol: Protocol) -> Step[World]:
    worker = world.workers[index]
    if not _still_ours(world, worker):
        words = "a worker that has lost its claim drops what it saw"
        return Step(words, world.without_worker(index))
    if world.row.state in TAKEN_BACK:
        return _decide_cancel(world, index, protocol)
    row = world.row._replace(watched=worker.watched)  # what showed itself later was not seen
    decision = protocol.settle(row, worker.known, worker.seen)
    words = f"having seen {_in_words(worker.seen)}, it decides {type(decision).__name__}"
    return Step(words, _carry_out(world, index, decision, protocol))


def _carry_out(world: World, index: int, decision: Decision, protocol: Protocol) -> World:
    row, idle = world.row, world.without_worker(index)
    match decision:
        case HandedOver():
            return idle._replace(row=row.moved(PostState.SCHEDULED, tries=0))
        case GiveUp():
            return idle._replace(row=row.moved(PostState.FAILED, reason="outcome_unknown"))
        case Bury():
            return _buried(world, index)
        case Watch():
            watched = _ours_to_look_at(world, index)
            return watched._replace(row=watched.row._replace(watched=max(0, row.watched)))
        case Park():
            return _goes_on(world, index, rows.MOVES, PARKING, watched=-1)
        case Delete():
            return _goes_to_delete(world, index, protocol)
        case ReleaseAgain():
            return _goes_on(world, index, rows.RELEASES, HANDED)
    return _ours_to_look_at(world, index)


def _goes_on(world: World, index: int, doing: str, handover: str, **values: Any) -> World:
    """The next step is committed before it is made."""
    worker = world.workers[index]
    known = worker.known if doing == rows.MOVES else ""
    worker = worker._replace(doing=doing, known=known, watched=-1, seen=ABSENT)
    row = world.row._replace(handover=handover, **values)
    return world._replace(row=row).with_worker(index, worker)


def _goes_to_delete(world: World, index: int, protocol: Protocol) -> World:
    """The try is counted before it is made."""
    row = world.row
    tried = row.tries + 1 if row.handover in (DELETING, DELETED) else 1
    counted = world._replace(row=row._replace(tries=min(tried, protocol.most_tries or 0)))
    return _goes_on(counted, index, rows.DELETES, DELETING)


# cancel


def _decide_cancel(world: World, index: int, protocol: Protocol) -> Step[World]:
    worker, row, idle = world.workers[index], world.row, world.without_worker(index)
    decision = protocol.cancel(row, worker.known, worker.seen)
    words = f"having seen {_in_words(worker.seen)}, the canceller decides {type(decision).__name__}"
    match decision:
        case Cancelled(may_be_live=False) if row.state is PostState.RESCHEDULING:
            after = idle._replace(row=edited(row))
        case Cancelled() if row.state is PostState.RESCHEDULING:
            after = idle._replace(row=row.moved(PostState.FAILED, reason=CANCELLED_LATE))
        case Cancelled(may_be_live=warned):
            after = idle._replace(row=row.moved(PostState.CANCELLED, warned=warned))
        case Delete():
            after = _goes_to_delete(world, index, protocol)
        case Failed(code=code):
            after = idle._replace(row=row.moved(PostState.FAILED, reason=code))
        case _:
            scheduled = row.moved(PostState.SCHEDULED, tries=0, wanted=row.revision)
            after = idle._replace(row=scheduled)
    return Step(words, after)


# track


def tracking_steps(world: World) -> Steps:
    """A look at a scheduled post and its commit in one: nothing is sent because of it."""
    if world.row.state is not PostState.SCHEDULED:
        return
    for seen, fault in _seen(world, world.row.draft):
        row = _tracked(world.row, seen)
        if row != world.row:
            words = f"tracking sees {_in_words(seen)}: the post is {row.state} {row.reason}"
            yield Step(words.rstrip(), world._replace(row=row), fault)


def _tracked(row: Row, seen: Seen) -> Row:
    match track(row, seen):
        case Published():
            return row.moved(PostState.PUBLISHED)
        case Failed(code=code):
            return row.moved(PostState.FAILED, reason=code)
        case Errored():
            return row._replace(error_seen=True)
        case Overdue():
            return row._replace(overdue=True)
    return row
