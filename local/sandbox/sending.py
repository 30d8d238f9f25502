"""What becomes of a post after its last read: at the network, and then in Postiz."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from .database import Database
from .dates import iso
from .faults import Fault, FaultBook
from .ledger import Ledger
from .networks import network
from .orgs import Integration, Orgs
from .posts import ERROR, Post, Posts
from .steps import (
    Fail,
    on_send,
    provider_failure,
    published_notification,
    token_notification,
    unconfirmed,
    unknown_failure,
)
from .thread_sending import ThreadSender
from .timing import Pace

#: The phases of a workflow: its first part is at the network; it is published.
SENT, FOLLOWED = "sent", "followed"
_ATTEMPTS = 5  # after unknown errors; all else is final at once
_PENDING_CHECKS = 90
_LONGEST_ACTIVITY = 1800.0

Spawn = Callable[[Coroutine[Any, Any, None]], object]


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What is left to do: wait so many seconds, then call it published, or not confirmed."""

    reached_network: bool = True
    wait: float = 0.0
    confirmed: bool = True


@dataclass(kw_only=True)
class Sender:
    database: Database
    posts: Posts
    orgs: Orgs
    ledger: Ledger
    faults: FaultBook
    pace: Pace
    release_url: Callable[[str], str]
    thread_sender: ThreadSender

    async def send(self, post: Post, run: str, spawn: Spawn) -> Sent | None:
        """Nothing stops it from here on; None where the post ends, or hangs, without the network.

        `spawn` runs what comes later and is not waited for.
        """
        integration = self.orgs.integration(post.integration)
        verdict = on_send(post, integration)
        if isinstance(verdict, Fail):
            self._fail(post, verdict, spawn)
            return None
        assert integration is not None
        sent = await self._meet(post, integration, await self._past_unknown(post, spawn), spawn)
        if sent is not None and sent.reached_network:
            await asyncio.sleep(self.pace.timing.network_delay)
            self._note_send(post, run)
        return sent

    async def _past_unknown(self, post: Post, spawn: Spawn) -> Fault | None:
        """The fault that the last attempt meets: an unknown error is followed by another one."""
        for attempt in range(1, _ATTEMPTS + 1):
            fault = self.faults.for_publishing(post)
            if fault is None or fault.kind != "unknown_error":
                return fault
            self._fail(post, unknown_failure(fault.args.get("message", "")), spawn)
            if attempt < _ATTEMPTS:
                await asyncio.sleep(self.pace.timing.retry_delay)
        return fault

    async def _meet(
        self, post: Post, integration: Integration, fault: Fault | None, spawn: Spawn
    ) -> Sent | None:
        """What this fault makes of the post: an end, a delay, or something in between."""
        if fault is None:
            return self._accepted(post, integration)
        args = fault.args
        self._note_fault(post, integration, fault, spawn)
        match fault.kind:
            case "unconfirmed":
                wait = float(args.get("seconds", _LONGEST_ACTIVITY))
                return Sent(reached_network=args.get("sent", True), wait=wait, confirmed=False)
            case "pending":
                every = float(args.get("every", self.pace.timing.pending_every))
                wait = every * int(args.get("checks", _PENDING_CHECKS))
                return Sent(wait=wait, confirmed=args.get("confirmed", True))
            case "slow_publishing":
                await asyncio.sleep(self.pace.draw(args.get("seconds", 30.0)))
            case "publish_error" if "recover" in args:
                await asyncio.sleep(float(args["recover"]))
            case _:
                return None
        return self._accepted(post, integration)

    def _note_fault(self, post: Post, integration: Integration, fault: Fault, spawn: Spawn) -> None:
        match fault.kind:
            case "publish_error":
                message = fault.args.get("message", "Unknown Error")
                self._fail(post, provider_failure(integration, message), spawn, fault)
            case "token_failure":
                self._lose_token(post, integration)
            case "never_publish":
                self.ledger.add("never_published", post.org, post=post.id)

    def _accepted(self, post: Post, integration: Integration) -> Sent:
        """Networks that process videos are asked again and again whether they have done so."""
        videos = [media for media in post.image if str(media["path"]).endswith(".mp4")]
        if not (videos and network(integration.identifier).processes_videos):
            return Sent()
        timing = self.pace.timing
        return Sent(wait=round(self.pace.draw(timing.pending_checks)) * timing.pending_every)

    def _note_send(self, post: Post, run: str) -> None:
        with self.database.transaction():
            self.ledger.add(
                "send",
                post.org,
                post=post.id,
                integration=post.integration,
                content=post.content,
                settings=post.settings,
                media=post.image,
                publish_date=iso(post.date_ms),
            )
            self.database.run("UPDATE workflows SET phase = ? WHERE run = ?", SENT, run)

    # how it ends

    async def conclude(self, post_id: str, sent: Sent, spawn: Spawn) -> None:
        """Part of the workflow: it ends with it, whatever the network has got."""
        await asyncio.sleep(sent.wait)
        if sent.confirmed:
            await asyncio.sleep(self.pace.timing.publish_delay)
        post = self.posts.get(post_id)
        if post is None:
            return
        integration = self.orgs.integration(post.integration)
        if not sent.confirmed:
            assert integration is not None
            self._fail(post, unconfirmed(integration), spawn)
            return
        url = self.release_url(post.id)
        self.posts.set_published(post.id, url)
        self.database.run("UPDATE workflows SET phase = ? WHERE post = ?", FOLLOWED, post.id)
        self.ledger.add("published", post.org, post=post.id, release_url=url)
        if integration:
            self.posts.notify(post.org, published_notification(integration, url))
        await self.send_parts(post_id, spawn)

    async def send_parts(self, post_id: str, spawn: Spawn) -> None:
        """What comes after the first part, once it is published."""
        post = self.posts.get(post_id)
        integration = self.orgs.integration(post.integration) if post else None
        if post is None or integration is None:
            return

        def record_failure(first: Post, failure: Fail, fault: Fault | None) -> None:
            self._fail(first, failure, spawn, fault)

        await self.thread_sender.send_parts(post, integration, record_failure)

    def _fail(self, post: Post, failure: Fail, spawn: Spawn, fault: Fault | None = None) -> None:
        """`notify_after` of the fault: seconds until the reason is told; None is never."""
        if failure.notification and failure.tells_first:
            self.posts.notify(post.org, failure.notification)
        self.posts.set_state(post.id, ERROR, error=failure.error)
        self.ledger.add("publish_error", post.org, post=post.id, error=failure.error)
        if failure.notification and not failure.tells_first:
            delay = self.pace.draw(self.pace.timing.notice_delay)
            if fault is not None:
                delay = fault.args.get("notify_after", delay)
            self._notify_after(delay, post.org, failure.notification, spawn)

    def _notify_after(self, delay: float | None, org: str, text: str, spawn: Spawn) -> None:
        if delay == 0:
            self.posts.notify(org, text)
        elif delay is not None:
            spawn(self._notify_later(org, text, delay))

    async def _notify_later(self, org: str, text: str, delay: float) -> None:
        await asyncio.sleep(delay)
        self.posts.notify(org, text)

    def _lose_token(self, post: Post, integration: Integration) -> None:
        """It could not be refreshed: said twice, of the network alone, and the channel is off."""
        self.orgs.change_integration(integration.org, integration.id, {"refresh_needed": True})
        for _ in range(2):
            self.posts.notify(post.org, token_notification(integration))
        self.posts.set_state(post.id, ERROR, error="refresh_token")
        self.ledger.add("publish_error", post.org, post=post.id, error="refresh_token")
