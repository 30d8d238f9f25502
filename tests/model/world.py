"""The world of one post: our rows, our workers, and what Postiz has of it."""

from typing import NamedTuple

from tests.model.postiz import Remote, Request
from tests.model.rows import Row, Worker


class World(NamedTuple):
    row: Row
    workers: tuple[Worker, ...]  # sorted: which of them it is makes no difference
    drafts: tuple[Remote, ...] = ()
    adrift: tuple[Request, ...] = ()  # requests that nobody awaits any more, sorted
    faults: int = 0  # that may still happen

    def with_worker(self, index: int, worker: Worker) -> "World":
        others = self.workers[:index] + self.workers[index + 1 :]
        workers = tuple(sorted((*others, worker)))
        return World(self.row, workers, self.drafts, self.adrift, self.faults)

    def with_draft(self, number: int, remote: Remote) -> "World":
        drafts = (*self.drafts[:number], remote, *self.drafts[number + 1 :])
        return World(self.row, self.workers, drafts, self.adrift, self.faults)

    def with_call(self, index: int, doing: str, request: Request) -> "World":
        """A worker makes a call, and awaits its reply."""
        worker = self.workers[index]._replace(doing=doing, call=request)
        return self.with_worker(index, worker)

    def without_worker(self, index: int) -> "World":
        """The worker is idle again; a call that it awaited goes on without it."""
        call = self.workers[index].call
        adrift = self.adrift
        if not call.is_over:
            adrift = tuple(sorted((*adrift, call)))
        idle = self.with_worker(index, Worker())
        return World(idle.row, idle.workers, idle.drafts, adrift, idle.faults)

    def claimed(self, index: int, worker: Worker, row: Row) -> "World":
        """A new claim: from here on every older one is worth nothing."""
        free = (one._replace(holds=False) for one in self.workers)
        fresh = self._replace(row=row._replace(leased=True), workers=tuple(free))
        return fresh.with_worker(index, worker._replace(holds=True))

    def hurt(self) -> "World":
        return World(self.row, self.workers, self.drafts, self.adrift, self.faults - 1)
