"""The workflows that publish: one per post, started, terminated and resumed as Temporal would."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from .database import Database
from .dates import iso
from .faults import Fault, FaultBook
from .ledger import Ledger
from .orgs import Integration, Orgs
from .posts import DRAFT, ERROR, QUEUE, Post, Posts
from .searches import Searches, SearchThrottled
from .steps import (
    Fail,
    Proceed,
    Stop,
    on_read,
    on_send,
    provider_failure,
    published_notification,
)
from .timing import Timing

_LONGEST_SLEEP = 3600.0
WAITING, SENT = "waiting", "sent"

Step = Callable[[str, str], Coroutine[Any, Any, None]]
"""Takes a post and the run that it belongs to."""


@dataclass(kw_only=True)
class Workflows:
    """A send, once begun, outlives the workflow, the deletion and the status that came later."""

    database: Database
    posts: Posts
    orgs: Orgs
    ledger: Ledger
    faults: FaultBook
    searches: Searches
    timing: Timing
    clock: Callable[[], float]
    release_url: Callable[[str], str]

    def __post_init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}
        self._aside: set[asyncio.Task[None]] = set()
        self._sends: set[asyncio.Task[bool]] = set()
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
        for row in self.database.rows("SELECT * FROM workflows"):
            step = self._finish if row["phase"] == SENT else self._run
            self._running[row["post"]] = self._spawn(self._to_end(row["post"], row["run"], step))
        if self.timing.missing_sweep_every:
            self._spawn(self._sweep_forever())

    def counts(self) -> dict[str, int]:
        return {"running": len(self._running), "stray_passes_pending": self._stray}

    def stop_all(self) -> None:
        """Before a reset: nothing that was begun reaches the emptied tables."""
        for task in [*self._aside, *self._sends]:
            task.cancel()
        self._running.clear()
        self.database.run("DELETE FROM workflows")
        if self.timing.missing_sweep_every:
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
        read = self.posts.get(post)
        if not self._goes_on(post, read):
            return
        assert read is not None
        await self._sleep_until(read.date_ms / 1000)
        await asyncio.sleep(self.timing.send_delay)
        read = self.posts.get(post)
        if not self._goes_on(post, read):
            return
        assert read is not None
        if await asyncio.shield(self._spawn_result(self._send(read, run))):
            await self._finish(post, run)

    def _goes_on(self, post: str, read: Post | None) -> bool:
        match on_read(read):
            case Proceed():
                return True
            case Fail() as failure:
                self.posts.set_state(post, ERROR, error=failure.error)
            case Stop():
                pass
        return False

    async def _sleep_until(self, moment: float) -> None:
        while (left := moment - self.clock()) > 0:
            await asyncio.sleep(min(left, _LONGEST_SLEEP))

    # the send

    async def _send(self, post: Post, run: str) -> bool:
        """Whether the post went to the network; from here on nothing stops it."""
        integration = self.orgs.integration(post.integration)
        replies = self.posts.replies(post.id)
        verdict = on_send(post, replies, integration)
        if isinstance(verdict, Fail):
            self._fail(post, verdict)
            return False
        assert integration is not None
        fault = self.faults.for_publishing(post)
        if fault is not None and not await self._survives(post, integration, fault):
            return False
        await asyncio.sleep(self.timing.network_delay)
        self._note_send(post, replies, run)
        return True

    def _note_send(self, post: Post, replies: list[Post], run: str) -> None:
        with self.database.transaction():
            self.ledger.add(
                "send",
                post.org,
                post=post.id,
                integration=post.integration,
                content=post.content,
                replies=[reply.content for reply in replies],
                settings=post.settings,
                media=post.image,
                publish_date=iso(post.date_ms),
            )
            self.database.run("UPDATE workflows SET phase = ? WHERE run = ?", SENT, run)

    async def _survives(self, post: Post, integration: Integration, fault: Fault) -> bool:
        """Whether a post that meets this fault is published after all."""
        if fault.kind == "never_publish":
            self.ledger.add("never_published", post.org, post=post.id)
            return False
        self._fail(post, provider_failure(integration, fault.args.get("message", "Unknown Error")))
        recover = fault.args.get("recover")
        if recover is None:
            return False
        await asyncio.sleep(float(recover))
        return True

    def _fail(self, post: Post, failure: Fail) -> None:
        self.posts.set_state(post.id, ERROR, error=failure.error)
        self.ledger.add("publish_error", post.org, post=post.id, error=failure.error)
        if failure.notification:
            self.posts.notify(post.org, failure.notification)

    async def _finish(self, post: str, _run: str) -> None:
        await asyncio.sleep(self.timing.publish_delay)
        found = self.posts.get(post)
        if found is None:
            return
        url = self.release_url(post)
        self.posts.set_published(post, url)
        self.ledger.add("published", found.org, post=post, release_url=url)
        integration = self.orgs.integration(found.integration)
        if integration:
            self.posts.notify(found.org, published_notification(integration, url))

    # the sweep for posts that were missed

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(self.timing.missing_sweep_every)
            self._sweep()

    def _sweep(self) -> None:
        now = int(self.clock() * 1000)
        reach = int(self.timing.missing_sweep_reach * 1000)
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

    def _spawn_result(self, work: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        task = asyncio.create_task(work)
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)
        return task
