"""Another installation with the same organizations: its drafts and posts are none of our business.

It takes the very milliseconds of our calls for its own, where a careless sweep would look.
"""

import random
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from shared.models import Post, Submission
from shared.postiz.payloads import format_time
from tests.chaos.arena import Arena

#: How the content of all that it creates begins.
NAME = "neighbour"
PAUSE = 4.0
#: Of an organization that counts its calls strictly it spends no more than this.
FRUGAL = 10


@dataclass
class Created:
    """What Postiz acknowledged: ids of drafts, and of posts to be published."""

    drafts: list[str] = field(default_factory=list)
    scheduled: list[str] = field(default_factory=list)


class Neighbour(threading.Thread):
    def __init__(self, arena: Arena, rng: random.Random, limited: set[str]) -> None:
        super().__init__(daemon=True)
        self._arena = arena
        self._rng = rng
        self._left = dict.fromkeys(limited, FRUGAL)
        self._over = threading.Event()
        self._calls = 0
        self.created = Created()

    def run(self) -> None:
        while not self._over.wait(self._rng.uniform(0, 2 * PAUSE)):
            with suppress(SQLAlchemyError, requests.RequestException, ValueError):
                self._publish()

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _publish(self) -> None:
        """A call of its own in the organization, and at the millisecond, of one of ours."""
        with self._arena.database.transaction() as session:
            found = session.execute(
                select(Post.integration_id, Submission.marker_at)
                .join(Submission, Submission.account_id == Post.account_id)
                .order_by((Submission.state == "abandoned").desc(), func.random())
                .limit(1)
            ).first()
        if found is None:
            return
        integration, marker_at = found
        org = integration.rpartition("-")[0]
        if self._left.get(org, 1) <= 0:
            return
        if org in self._left:
            self._left[org] -= 1
        self._send(org, integration, marker_at, draft=self._rng.random() < 0.7)

    def _send(self, org: str, integration: str, marker_at: datetime, *, draft: bool) -> None:
        self._calls += 1
        date = marker_at if draft else datetime.now(UTC) + timedelta(seconds=2)
        body: dict[str, Any] = {
            "type": "draft" if draft else "schedule",
            "date": format_time(date),
            "shortLink": False,
            "tags": [],
            "posts": [
                {
                    "integration": {"id": integration},
                    "settings": {},
                    "value": [{"content": f"{NAME} {self._calls:04d} {number}", "image": []}],
                }
                for number in range(self._rng.randint(1, 3))
            ],
        }
        key = {"Authorization": f"{org}-{NAME}"}
        url = f"{self._arena.api_url}/posts"
        reply = requests.post(url, headers=key, json=body, timeout=20)
        if reply.status_code == 201:
            ids = [row["postId"] for row in reply.json()]
            kept = self.created.drafts if draft else self.created.scheduled
            kept += ids
