"""A model of staging alone: calls that create drafts, what becomes of those whose end is unclear.

Postiz creates the elements of a call one by one, and goes on after we gave it up. Each commit and
each call of the workers is a step of its own, as in worker/staging: stage.py, draft_adoption.py and
orphan_drafts.py. A release is one step here: what may go wrong with it is the matter of the other
model.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import permutations
from typing import Any, NamedTuple

from shared.domain.publishing.draft_matching import find_adoptable, match_drafts
from shared.domain.publishing.restore_matching import Ours, Theirs
from tests.model.explorer import Step

PENDING, STAGING, STAGED, PUBLISHED, LOST = "pending", "staging", "staged", "published", "lost"
SENDING, UNCLEAR, ABANDONED, DONE = "sending", "unclear", "abandoned", "done"
WHEN = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Row(NamedTuple):
    """A post: where it is, by which call, and which draft it was given."""

    state: str = PENDING
    call: int = -1
    draft: int = -1


class Call(NamedTuple):
    """A counted call as our row of it says, and how far Postiz is with its request."""

    posts: tuple[int, ...]
    state: str = SENDING
    asked: bool = False  # its request is on its way
    created: int = 0
    over: bool = False  # the request will create no more


class Draft(NamedTuple):
    """What Postiz has: of which call, and which post's content and media are in it."""

    call: int
    post: int
    deleted: bool = False
    sends: int = 0


#: What a worker is at; the words complete "a worker that …".
IDLE = "is idle"
MAKES = "may make its call"
AWAITS = "awaits the reply"
HAS_LOOKED = "has looked what the call created"
SEES_LITTER = "has looked for litter"
DELETES = "may delete a draft"


class Worker(NamedTuple):
    doing: str = IDLE
    call: int = -1
    seen: tuple[int, ...] = ()


class World(NamedTuple):
    rows: tuple[Row, ...]
    workers: tuple[Worker, ...]
    calls: tuple[Call, ...] = ()
    drafts: tuple[Draft, ...] = ()
    faults: int = 0

    def with_worker(self, index: int, worker: Worker) -> "World":
        others = self.workers[:index] + self.workers[index + 1 :]
        return self._replace(workers=tuple(sorted((*others, worker))))

    def with_call(self, number: int, **values: Any) -> "World":
        changed = self.calls[number]._replace(**values)
        return self._replace(calls=(*self.calls[:number], changed, *self.calls[number + 1 :]))

    def with_row(self, number: int, row: Row) -> "World":
        return self._replace(rows=(*self.rows[:number], row, *self.rows[number + 1 :]))

    def with_draft(self, number: int, draft: Draft) -> "World":
        return self._replace(drafts=(*self.drafts[:number], draft, *self.drafts[number + 1 :]))

    def shown(self, call: int) -> tuple[int, ...]:
        """What a look at the call's millisecond shows."""
        return tuple(
            number
            for number, draft in enumerate(self.drafts)
            if draft.call == call and not draft.deleted
        )

    def known(self) -> set[int]:
        return {row.draft for row in self.rows}


Steps = Iterator[Step[World]]


@dataclass(frozen=True)
class Protocol:
    """How what an unclear call created is kept; each of these broken is found."""

    tells_apart: bool = True  # adopts only what stands for one content, media and settings
    asks_for_the_call: bool = True  # keeps what was seen only while the call is still unclear
    litter_waits: bool = True  # nothing is deleted while something may be adopted


@dataclass(frozen=True)
class Model:
    """Posts that look alike in Postiz; those with the same letter in `wholes` are the same."""

    wholes: str = "ab"
    workers: int = 2
    faults: int = 2
    protocol: Protocol = field(default_factory=Protocol)

    @property
    def start(self) -> World:
        rows = (Row(),) * len(self.wholes)
        return World(rows=rows, workers=(Worker(),) * self.workers, faults=self.faults)

    def successors(self, world: World) -> Steps:
        for step in self._all(world):
            if not step.fault:
                yield step
            elif world.faults:
                hurt = step.state._replace(faults=world.faults - 1)
                yield step._replace(state=hurt)

    def _all(self, world: World) -> Steps:
        yield from _in_postiz(world)
        yield from _rescues(world)
        yield from self._releases(world)
        for index, worker in enumerate(world.workers):
            if worker in world.workers[:index]:
                continue  # the same again
            yield from self._steps_of(world, index)
            if worker.doing != IDLE:
                words = f"a worker that {worker.doing} is killed"
                yield Step(words, world.with_worker(index, Worker()), fault=True)

    def _steps_of(self, world: World, index: int) -> Steps:
        match world.workers[index].doing:
            case "is idle":
                yield from self._begins(world, index)
            case "may make its call":
                yield _makes(world, index)
            case "awaits the reply":
                yield from _awaits(world, index)
            case "has looked what the call created":
                yield from self._keeps(world, index)
            case "has looked for litter":
                yield from _checks_litter(world, index)
            case "may delete a draft":
                yield _deletes(world, index)

    def _begins(self, world: World, index: int) -> Steps:
        pending = tuple(n for n, row in enumerate(world.rows) if row.state == PENDING)
        for order in permutations(pending) if pending else ():
            number = len(world.calls)
            rows = (
                Row(STAGING, number) if n in pending else row for n, row in enumerate(world.rows)
            )
            called = world._replace(rows=tuple(rows), calls=(*world.calls, Call(order)))
            begun = called.with_worker(index, Worker(MAKES, number))
            yield Step(f"a worker commits call {number + 1} for {_names(order)}", begun)
        litter = (ABANDONED,) if self.protocol.litter_waits else (ABANDONED, UNCLEAR)
        for number, call in enumerate(world.calls):
            seen = world.shown(number)
            for order in permutations(seen) if call.state == UNCLEAR else ():
                looked = world.with_worker(index, Worker(HAS_LOOKED, number, order))
                yield Step(f"a worker looks what call {number + 1} created: {len(seen)}", looked)
            if call.state in litter and set(seen) - world.known():
                looked = world.with_worker(index, Worker(SEES_LITTER, number, seen))
                yield Step(f"a worker looks for litter of call {number + 1}", looked)

    def _keeps(self, world: World, index: int) -> Steps:
        """Adopt what was seen; what is missing waits for a while, or is staged anew."""
        _, number, seen = world.workers[index]
        idle = world.with_worker(index, Worker())
        if self.protocol.asks_for_the_call and world.calls[number].state != UNCLEAR:
            yield Step("a worker whose call was ended by another drops what it saw", idle)
            return
        after, missing = self._adopted(idle, number, seen)
        if missing:
            yield Step(f"it keeps what is there, and {_names(missing)} wait(s)", after)
        for post in missing:
            after = after.with_row(post, Row())
        ended = after.with_call(number, state=ABANDONED)
        yield Step(f"it keeps what is there, and puts {_names(missing)} back", ended)

    def _adopted(
        self, world: World, number: int, seen: tuple[int, ...]
    ) -> tuple[World, tuple[int, ...]]:
        call = world.calls[number]
        mine = [self._ours(post) for post in sorted(call.posts)]
        adoptable = find_adoptable(mine) if self.protocol.tells_apart else ["look"]
        waiting = [one for one in mine if self._waits(world.rows[one.post_id], number)]
        unknown = [draft for draft in seen if draft not in world.known()]
        theirs = [
            Theirs(postiz_id=str(draft), fingerprint="look", publish_at=WHEN) for draft in unknown
        ]
        found = match_drafts(waiting, theirs, adoptable)
        for post, there in found.items():
            world = world.with_row(post, Row(STAGED, number, int(there.postiz_id)))
        missing = (one.post_id for one in waiting if one.post_id not in found)
        return world, tuple(missing)

    def _waits(self, row: Row, call: int) -> bool:
        of_call = row.call == call or not self.protocol.asks_for_the_call
        return row.state == STAGING and of_call

    def _ours(self, post: int) -> Ours:
        return Ours(post_id=post, fingerprint="look", whole=self.wholes[post], publish_at=WHEN)

    def _releases(self, world: World) -> Steps:
        for number, row in enumerate(world.rows):
            if row.state != STAGED:
                continue
            draft = world.drafts[row.draft]
            if draft.deleted:
                lost = world.with_row(number, row._replace(state=LOST))
                yield Step(f"post {number + 1} is released, and its draft is gone", lost)
                continue
            sent = world.with_draft(row.draft, draft._replace(sends=draft.sends + 1))
            published = sent.with_row(number, row._replace(state=PUBLISHED))
            yield Step(f"draft {row.draft + 1} is sent for post {number + 1}", published)


def _names(posts: tuple[int, ...]) -> str:
    return "post " + " and ".join(str(post + 1) for post in posts) if posts else "nothing"


def _in_postiz(world: World) -> Steps:
    """A request goes on whoever awaits it; it may stop halfway."""
    for number, call in enumerate(world.calls):
        if not call.asked or call.over:
            continue
        post = call.posts[call.created]
        last = call.created + 1 == len(call.posts)
        made = world._replace(drafts=(*world.drafts, Draft(number, post)))
        further = made.with_call(number, created=call.created + 1, over=last)
        yield Step(
            f"call {number + 1} creates draft {len(made.drafts)}, of post {post + 1}", further
        )
        stopped = world.with_call(number, over=True)
        yield Step(f"call {number + 1} stops in Postiz", stopped, fault=True)


def _rescues(world: World) -> Steps:
    for number, call in enumerate(world.calls):
        if call.state != SENDING:
            continue
        alive = any(w.call == number and w.doing in (MAKES, AWAITS) for w in world.workers)
        words = "frozen" if alive else "dead"
        unclear = world.with_call(number, state=UNCLEAR)
        yield Step(f"the worker of call {number + 1} is taken for {words}", unclear, fault=alive)


def _makes(world: World, index: int) -> Step[World]:
    number = world.workers[index].call
    if world.calls[number].state != SENDING:
        words = "the last question stops a call that was ended by another"
        return Step(words, world.with_worker(index, Worker()))
    asked = world.with_call(number, asked=True)
    return Step(f"call {number + 1} is sent", asked.with_worker(index, Worker(AWAITS, number)))


def _awaits(world: World, index: int) -> Steps:
    number = world.workers[index].call
    call, idle = world.calls[number], world.with_worker(index, Worker())
    if call.over and call.created == len(call.posts):
        words = f"the reply to call {number + 1} comes back"
        if call.state != SENDING:
            yield Step(f"{words}, to a worker that was taken for dead", idle)
        else:
            created = [n for n, draft in enumerate(world.drafts) if draft.call == number]
            for post, draft in zip(call.posts, created, strict=True):
                idle = idle.with_row(post, Row(STAGED, number, draft))
            yield Step(words, idle.with_call(number, state=DONE))
    gone = idle if call.state != SENDING else idle.with_call(number, state=UNCLEAR)
    answered = call.over and call.created < len(call.posts)
    words = f"the reply to call {number + 1} is {'an error' if answered else 'lost'}"
    yield Step(words, gone, fault=not answered)


def _checks_litter(world: World, index: int) -> Steps:
    """What no post has is to be deleted, one by one."""
    _, number, seen = world.workers[index]
    strays = tuple(draft for draft in seen if draft not in world.known())
    for draft in strays[:1]:
        deletes = world.with_worker(index, Worker(DELETES, number, (draft,)))
        yield Step(f"no post has draft {draft + 1}: it is to be deleted", deletes)
    if not strays:
        yield Step("there is no litter after all", world.with_worker(index, Worker()))


def _deletes(world: World, index: int) -> Step[World]:
    [draft] = world.workers[index].seen
    gone = world.with_draft(draft, world.drafts[draft]._replace(deleted=True))
    return Step(f"draft {draft + 1} is deleted as litter", gone.with_worker(index, Worker()))


# what must never happen, and where a run may end


def lost(world: World) -> bool:
    return any(row.state == LOST for row in world.rows)


def swapped_or_twice(wholes: str, world: World) -> bool:
    """A content went out more often than there are posts of it."""
    sends = [wholes[draft.post] for draft in world.drafts for _ in range(draft.sends)]
    return any(sends.count(whole) > wholes.count(whole) for whole in set(sends))


def settled(world: World) -> bool:
    """All is published, and nothing of ours is left that no post has."""
    strays = (n for n, draft in enumerate(world.drafts) if not draft.deleted)
    return all(row.state == PUBLISHED for row in world.rows) and set(strays) <= world.known()
