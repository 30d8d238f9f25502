"""What comes after the first part of a thread: each part is sent after its delay, or fails.

As docs/POSTIZ.md, "Threads", says.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from .database import Database
from .faults import Fault, FaultBook
from .ledger import Ledger
from .networks import network, rule_problem
from .orgs import Integration
from .posts import PUBLISHED, Post, Posts
from .steps import Fail, part_failure, unknown_failure
from .timing import Pace

#: Records that a post has failed: the post, how, and the fault that it met.
RecordFailure = Callable[[Post, Fail, Fault | None], None]


@dataclass(kw_only=True)
class ThreadSender:
    database: Database
    posts: Posts
    ledger: Ledger
    faults: FaultBook
    pace: Pace
    release_url: Callable[[str], str]

    async def send_parts(
        self, first: Post, integration: Integration, record_failure: RecordFailure
    ) -> None:
        """Those that are not there yet, in their order; what fails ends the thread.

        The failure is recorded with the first part, which stays where it is.
        """
        if not network(integration.identifier).comments:
            return
        for number, part in enumerate(self.posts.parts(first.id), 1):
            if part.state == PUBLISHED:
                continue
            await asyncio.sleep(part.delay * self.pace.timing.part_minute)
            fault = self.faults.for_part(first, number)
            failure = _failure_of(part, integration, fault)
            if failure is not None:
                record_failure(first, failure, fault)
                if fault is None or "recover" not in fault.args:
                    return
                await asyncio.sleep(float(fault.args["recover"]))
            await asyncio.sleep(self.pace.timing.network_delay)
            self._note_part(first, part, number)
            await asyncio.sleep(self.pace.timing.publish_delay)

    def _note_part(self, first: Post, part: Post, number: int) -> None:
        with self.database.transaction():
            self.ledger.add(
                "part",
                first.org,
                post=first.id,
                part=number,
                integration=first.integration,
                content=part.content,
                media=part.image,
                delay=part.delay,
            )
            self.posts.set_published(part.id, self.release_url(first.id))


def _failure_of(part: Post, integration: Integration, fault: Fault | None) -> Fail | None:
    """An error after which Postiz tries again is one that it does not know."""
    if fault is not None:
        message = fault.args.get("message", "Unknown Error")
        if "recover" in fault.args:
            return unknown_failure(message)
        return part_failure(integration, message)
    problem = rule_problem(integration.identifier, [(part.content, [])], {}, later=True)
    return part_failure(integration, problem) if problem else None
