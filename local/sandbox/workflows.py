"""The workflows that publish: one per post, started, terminated and resumed as Temporal would."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from .database import Database
from .ledger import Ledger
from .posts import DRAFT, ERROR, QUEUE, Post, Posts
from .searches import Searches, SearchThrottled
from .sending import FOLLOWED, SENT, Sender, Sent
from .steps import Fail, Proceed, Stop, on_read
from .timing import Pace

_LONGEST_SLEEP = 3600.0
#: Between two looks whether workers are back (seconds).
_LOOK = 0.2
WAITING = "waiting"

Step = Callable[[str, str], Coroutine[Any, Any, None]]
"""Takes a post and the run that it belongs to."""


@dataclass(kw_only=True)
class Workflows:
    """A send, once begun, outlives the workflow, the deletion and the status that came later."""

    database: Database
    posts: Posts
    ledger: Ledger
    searches: Searches
    sender: Sender
    pace: Pace
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}
        self._aside: set[asyncio.Task[None]] = set()
        self._sends: set[asyncio.Task[Sent | None]] = set()
        self._stray = 0

    # what the API asks for

    def restart_aside(self, post: str, state: str) -> None:
        """The pass after a creation: not waited for, and late when searches are throttled."""
        self._stray += 1
        task = self._spawn(self.restart(post, state, why="stray pass"))
        task.add_done_callback(lambda _: self._stray_done())

    def _stray_done(self) -> None:
        self._stray -= 1

    async def restart(self, post: str, state: str, *, why: str = "status change") -> None:
        """Search the post's workflows, terminate them, and start one unless it is a draft."""
        await self.stop(post, why=why)
        if state != DRAFT:
            self._start(post, why=why)

    async def stop(self, post: str, *, why: str) -> None:
        """Search and terminate; where the search gives up, whatever runs goes on running."""
        try:
            await self.searches.search()
        except SearchThrottled:
            self.ledger.add("search_gave_up", None, post=post, why=why)
        else:
            self._terminate(post, why=why)

    def resume(self) -> None:
        """After a restart of the server: every workflow that was running runs again."""
        steps = {SENT: self._conclude, FOLLOWED: self._follow}
        for row in self.database.rows("SELECT * FROM workflows"):
            step = steps.get(row["phase"], self._run)
            self._running[row["post"]] = self._spawn(self._to_end(row["post"], row["run"], step))
        if self.pace.timing.missing_sweep_every:
            self._spawn(self._sweep_forever())

    def counts(self) -> dict[str, int]:
        return {"running": len(self._running), "stray_passes_pending": self._stray}

    def stop_all(self) -> None:
        """Before a reset: nothing that was begun reaches the emptied tables."""
        for task in [*self._aside, *self._sends]:
            task.cancel()
        self._running.clear()
        self.database.run("DELETE FROM workflows")
        if self.pace.timing.missing_sweep_every:
            self._spawn(self._sweep_forever())

    # one workflow

    def _start(self, post: str, *, why: str) -> None:
        self._terminate(post, why=why)
        run = str(uuid.uuid4())
        self.database.run("INSERT OR REPLACE INTO workflows VALUES (?, ?, ?)", post, run, WAITING)
        self._running[post] = self._spawn(self._to_end(post, run, self._run))

    def _terminate(self, post: str, *, why: str) -> None:
        task = self._running.pop(post, None)
        if task is None:
            return
        task.cancel()
        self.database.run("DELETE FROM workflows WHERE post = ?", post)
        self.ledger.add("workflow_terminated", None, post=post, why=why)

    async def _to_end(self, post: str, run: str, step: Step) -> None:
        await step(post, run)
        self._running.pop(post, None)
        self.database.run("DELETE FROM workflows WHERE post = ?", post)

    async def _run(self, post: str, run: str) -> None:
        await self._wait_for_workers()
        read = self.posts.get(post)
        if not self._goes_on(post, read):
            return
        assert read is not None
        await self._sleep_until(read.date_ms / 1000)
        await asyncio.sleep(self.pace.draw(self.pace.timing.send_delay))
        await self._wait_for_workers()
        read = self.posts.get(post)
        if not self._goes_on(post, read):
            return
        assert read is not None
        sent = await asyncio.shield(self._spawn_result(self.sender.send(read, run, self._spawn)))
        if sent is not None:
            await self.sender.conclude(post, sent, self._spawn)

    async def _conclude(self, post: str, _run: str) -> None:
        await self.sender.conclude(post, Sent(), self._spawn)

    async def _follow(self, post: str, _run: str) -> None:
        await self.sender.send_parts(post, self._spawn)

    def _goes_on(self, post: str, read: Post | None) -> bool:
        match on_read(read):
            case Proceed():
                return True
            case Fail() as failure:
                self.posts.set_state(post, ERROR, error=failure.error)
            case Stop():
                pass
        return False

    async def _wait_for_workers(self) -> None:
        """Where nobody works on workflows, they wait; starting and ending them goes on."""
        while self.pace.timing.workers_stopped:
            await asyncio.sleep(_LOOK)

    async def _sleep_until(self, moment: float) -> None:
        while (left := moment - self.clock()) > 0:
            await asyncio.sleep(min(left, _LONGEST_SLEEP))

    # the sweep for posts that were missed

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(self.pace.timing.missing_sweep_every)
            self._sweep()

    def _sweep(self) -> None:
        now = int(self.clock() * 1000)
        reach = int(self.pace.timing.missing_sweep_reach * 1000)
        for post in self.posts.queued_between(now - reach, now):
            if post.id not in self._running:
                self.ledger.add("swept", post.org, post=post.id)
                self._spawn(self.restart(post.id, QUEUE, why="missing sweep"))

    # tasks

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)
        return task

    def _spawn_result(self, work: Coroutine[Any, Any, Sent | None]) -> asyncio.Task[Sent | None]:
        task = asyncio.create_task(work)
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)
        return task
