"""Everything that may happen next, to us and to Postiz."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.domain.publishing.states import PostState
from tests.model.explorer import Step
from tests.model.person import APPROVE, is_awake, person_steps
from tests.model.postiz import advance, own_steps, run_whole
from tests.model.pressroom import second_thoughts, steps_of, tracking_steps
from tests.model.protocol import Protocol
from tests.model.rows import AGES, AHEAD, AWAITS_PUT, DUE, IDLE, RELEASES, Row, Worker
from tests.model.world import World

Steps = Iterator[Step[World]]
MAKES_IT = (RELEASES, AWAITS_PUT)


@dataclass(frozen=True)
class Model:
    """One post, under a protocol, with so many workers and so many faults."""

    protocol: Protocol = field(default_factory=Protocol)
    workers: int = 2
    faults: int = 2
    sweeps: bool = False  # Postiz's own search for missing posts
    person: frozenset[str] = frozenset()  # what a person may do: see person.py
    most_edits: int = 2
    ahead: bool = False  # the post's date in Postiz's calendar lies in the future
    whole_calls: bool = False  # a call happens in full when it is made, or not at all

    @property
    def start(self) -> World:
        row = Row(date=AHEAD if self.ahead else DUE, asks=APPROVE in self.person).asked()
        return World(row=row, workers=(Worker(),) * self.workers, faults=self.faults)

    def successors(self, world: World) -> Steps:
        for step in self._all(world):
            if not step.fault:
                yield step
            elif world.faults:
                yield step._replace(state=step.state.hurt())

    def _all(self, world: World) -> Steps:
        yield from _time_passes(world)
        yield from tracking_steps(world)
        yield from person_steps(world, self.person, self.protocol, most_edits=self.most_edits)
        yield from second_thoughts(world)
        seen = set()
        for index, worker in enumerate(world.workers):
            if worker in seen:
                continue  # the same again
            seen.add(worker)
            for step in steps_of(world, index, self.protocol):
                yield step._replace(state=_whole(step.state)) if self.whole_calls else step
            if worker.doing != IDLE:
                words = f"a worker that {worker.doing} is killed"
                yield Step(words, world.without_worker(index), fault=True)
            if not worker.call.is_over:
                yield _of_awaited(world, index)
        yield from self._in_postiz(world)

    def _in_postiz(self, world: World) -> Steps:
        for request in set(world.adrift):
            words, further, remote = advance(request, world.drafts[request.draft])
            left = list(world.adrift)
            left.remove(request)
            adrift = left if further.is_over else sorted([*left, further])
            after = world.with_draft(request.draft, remote)._replace(adrift=tuple(adrift))
            # it may have been lost on its way
            yield Step(f"{words} (given up by us)", after, may_never=request.done == 0)
        for number, remote in enumerate(world.drafts):
            for step in own_steps(remote, sweeps=self.sweeps, due=world.row.date == DUE):
                words = f"in Postiz, draft {number + 1}: {step.words}"
                yield Step(words, world.with_draft(number, step.remote), step.fault)


def _of_awaited(world: World, index: int) -> Step[World]:
    """The next step of a call whose worker still awaits it."""
    worker = world.workers[index]
    words, further, remote = advance(worker.call, world.drafts[worker.draft])
    after = world.with_draft(worker.draft, remote)
    return Step(words, after.with_worker(index, worker._replace(call=further)))


def _time_passes(world: World) -> Steps:
    row = world.row
    if _grows_older(world):
        older = world._replace(row=row._replace(age=row.age + 1))
        yield Step(f"the release is {AGES[older.row.age].total_seconds():.0f} s old", older)
    if row.date:
        words = "the post's date comes near" if row.date == AHEAD else "the post's date has come"
        yield Step(words, world._replace(row=row._replace(date=row.date - 1)))
    if row.watched == 0 and not any(map(is_awake, world.drafts)):
        words = "it was watched for a while: whatever had begun to send it is over"
        yield Step(words, world._replace(row=row._replace(watched=1)))
    if row.leased:
        alive = any(worker.holds for worker in world.workers)
        words = "the lease ends, its worker frozen" if alive else "the lease of the dead ends"
        yield Step(words, world._replace(row=row._replace(leased=False)), fault=alive)
    elif row.state is PostState.STAGING:
        rescued = row.moved(PostState.PENDING)
        yield Step("the sweep rescues the staging: `pending`", world._replace(row=rescued))


def _grows_older(world: World) -> bool:
    """Not while the release is leased to the worker that makes it: leases are shorter than 90 s."""
    row = world.row
    young = row.leased and any(one.holds and one.doing in MAKES_IT for one in world.workers)
    open_end = row.state in (PostState.RELEASING, PostState.SCHEDULED)
    return open_end and not young and row.age < len(AGES) - 1


def _whole(world: World) -> World:
    """No call is ever under way, and no stray pass to come: what the real Postiz is not."""
    drafts = [remote._replace(stray=False) for remote in world.drafts]
    workers = []
    for worker in world.workers:
        call = worker.call
        if not call.is_over:
            call, drafts[call.draft] = run_whole(call, drafts[call.draft])
        workers.append(worker._replace(call=call))
    return world._replace(drafts=tuple(drafts), workers=tuple(sorted(workers)))
