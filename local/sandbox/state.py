"""The sandbox as a whole: its tables, its rules, and the parts that act on them."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from . import seed
from .database import Database
from .faults import FaultBook
from .ledger import Ledger
from .orgs import Orgs
from .posts import Posts
from .searches import Searches
from .sending import Sender
from .thread_sending import ThreadSender
from .timing import Pace, Timing
from .workflows import Workflows

LAYOUTS = {"source": "/public/v1", "image": "/api/public/v1"}


@dataclass(frozen=True, kw_only=True)
class Options:
    data: Path
    host: str = "127.0.0.1"
    port: int = 0
    layout: str = "source"
    timing: Timing = field(default_factory=Timing)
    seed: list[dict[str, Any]] | None = None
    random_seed: int | None = None
    allow_private_urls: bool = False


class Sandbox:
    """Everything that a request handler needs."""

    def __init__(self, options: Options) -> None:
        options.data.mkdir(parents=True, exist_ok=True)
        self.options = options
        self.url = ""  # known once the socket is bound
        self.calls: set[asyncio.Task[web.StreamResponse]] = set()  #: that are being answered
        self.clock = time.time
        self.chance = random.Random(options.random_seed)  # noqa: S311 - repeatable, not secret
        self.database = Database(options.data / "sandbox.sqlite3")
        self.orgs = Orgs(self.database, self.clock)
        self.posts = Posts(self.database, self.clock)
        self.ledger = Ledger(self.database, self.clock)
        self.faults = FaultBook(self.database, self.chance)
        self.pace = Pace(options.timing, self.chance)
        self.workflows = self._workflows()
        self._plant(options.seed)

    def _workflows(self) -> Workflows:
        thread_sender = ThreadSender(
            database=self.database,
            posts=self.posts,
            ledger=self.ledger,
            faults=self.faults,
            pace=self.pace,
            release_url=self.release_url,
        )
        sender = Sender(
            database=self.database,
            posts=self.posts,
            orgs=self.orgs,
            ledger=self.ledger,
            faults=self.faults,
            pace=self.pace,
            release_url=self.release_url,
            thread_sender=thread_sender,
        )
        return Workflows(
            database=self.database,
            posts=self.posts,
            ledger=self.ledger,
            searches=Searches(self.pace, self.chance, self.clock),
            sender=sender,
            pace=self.pace,
            clock=self.clock,
        )

    async def end_calls(self) -> None:
        """Nothing that is still at work reaches tables that are emptied, or closed."""
        for call in self.calls:
            call.cancel()
        if self.calls:
            await asyncio.wait(list(self.calls))

    def _plant(self, orgs: list[dict[str, Any]] | None) -> None:
        if not self.orgs.all():
            for spec in orgs if orgs is not None else seed.DEFAULT:
                self.orgs.create(spec)

    @property
    def prefix(self) -> str:
        return LAYOUTS[self.options.layout]

    def now_ms(self) -> int:
        return int(self.clock() * 1000)

    def release_url(self, post: str) -> str:
        return f"{self.url}/_sandbox/published/{post}"
