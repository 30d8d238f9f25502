"""Editors: they give accepted posts another caption or another time, as often as they like.

A revision keeps the content that the post was accepted with, so that the audit recognises it.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.publishing.states import PostState
from shared.models import Event, Post
from tests.chaos.client import Client
from tests.chaos.diary import Diary, origin
from tests.chaos.minds import OPEN, Minds
from tests.chaos.people import EDITED
from tests.chaos.threads import thread_of

#: What the diary calls an edit that was answered with 202, and one whose answer was lost.
PROMISED, PERHAPS = "edited by its owner", "perhaps edited by its owner"


@dataclass(frozen=True)
class Editors:
    minds: Minds
    client: Client
    diary: Diary

    def edit_post(self, rng: random.Random) -> None:
        for post in self.minds.pick(rng, [*OPEN, PostState.FAILED]):
            content = f"{origin(post.content)} (revision {rng.randrange(10**6)})"
            body: dict[str, Any] = {"caption": content}
            if post.thread:
                body["thread"] = thread_of(content, len(post.thread))
            answer = self.client.ask("PATCH", f"/posts/{post.id}", json=body)
            if answer is None:
                self.diary.note(PERHAPS, f"{post.id} {content}")
            else:
                self.diary.note(PROMISED if answer.ok else "edit refused", f"{post.id} {content}")

    def move_post(self, rng: random.Random) -> None:
        for post in self.minds.pick(rng, OPEN):
            at = datetime.now(UTC) + timedelta(seconds=rng.uniform(5, 60))
            body = {"publish_at": at.isoformat()}
            answer = self.client.ask("PATCH", f"/posts/{post.id}", json=body)
            self.diary.note("moved" if answer is not None and answer.ok else "move refused")

    def move_job(self, rng: random.Random) -> None:
        for post in self.minds.pick(rng, OPEN):
            body = {"job_id": str(post.job_id), "shift_minutes": rng.uniform(0.1, 0.5)}
            answer = self.client.ask("POST", "/posts/reschedule", json=body)
            self.diary.note("job moved" if answer is not None and answer.ok else "job not moved")


def broken_promises(
    post: Post, events: Sequence[Event], sends: Sequence[Mapping[str, Any]], diary: Diary
) -> Iterator[str]:
    """What was promised to an editor and is not so, and what was sent in another revision."""
    for send in sends:
        if (
            send["post"] == post.postiz_post_id
            and send["content"].removesuffix(EDITED) != post.content
        ):
            yield f"sent as {send['content']!r}, and is {post.content!r}"
    mine = f"{post.id} "
    promised = [entry for entry in diary.of(PROMISED) if entry.detail.startswith(mine)]
    if not promised or post.edit is not None:
        return
    since = promised[-1].at - 1
    dropped = any(
        event.event == "edit_dropped" and event.at.timestamp() > since for event in events
    )
    perhaps = [entry.detail for entry in diary.of(PERHAPS) if entry.detail.startswith(mine)]
    if not dropped and f"{mine}{post.content}" not in {promised[-1].detail, *perhaps}:
        yield f"was promised as {promised[-1].detail!r}, and is {post.content!r}"
