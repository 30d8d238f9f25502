"""Approvers: of some bulks each post waits for somebody, who looks at it and decides.

A post that was edited meanwhile is another one: it is looked at again.
"""

import random
import threading
from collections.abc import Iterator

from tests.chaos.client import Client
from tests.chaos.diary import Diary
from tests.chaos.evidence import Evidence
from tests.chaos.people import EDITED

#: What the diary calls it; noted before it is asked for, because its answer may be lost.
APPROVED, REJECTED = "approved by somebody", "rejected by somebody"
_WAITING = "/posts?state=waiting_approval&limit=50"


class Approvers(threading.Thread):
    """From the first post to the last: what waits for nobody is never settled."""

    def __init__(self, client: Client, rng: random.Random, diary: Diary) -> None:
        super().__init__(daemon=True)
        self._client, self._rng, self._diary = client, rng, diary
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.5):
            answer = self._client.ask("GET", _WAITING)
            for post in answer.json()["items"] if answer is not None and answer.ok else ():
                self._decide(post["id"], post["content"], post["revision"])

    def _decide(self, post_id: str, content: str, revision: int) -> None:
        what, path = (REJECTED, "reject") if self._rng.random() < 0.1 else (APPROVED, "approve")
        self._diary.note(what, f"{post_id} {content}")
        self._client.ask("POST", f"/posts/{post_id}/{path}", json={"revision": revision})

    def stop(self) -> None:
        self._over.set()
        self.join()


def find_unapproved(evidence: Evidence, diary: Diary) -> Iterator[tuple[int, str]]:
    """What was sent and nobody has approved so: the post, and what is wrong with it."""
    approved = diary.details(APPROVED)
    for post in evidence.posts:
        for send in evidence.sends_for(post) if post.requires_approval else ():
            content = send["content"].removesuffix(EDITED)
            if f"{post.id} {content}" not in approved:
                yield post.id, f"sent as {content!r}, which nobody has approved"
