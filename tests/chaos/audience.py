"""The audience: a receiver of webhooks that is told of every end, and must be told the truth."""

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from shared.domain.publishing.states import PostState
from shared.domain.webhook_retries import JOB_COMPLETED, POST_FAILED, POST_PUBLISHED
from shared.models import Job, Post
from tests.chaos.client import Client
from tests.servers.receiver import Heard, Receiver, Say

#: One event in so many is refused when it comes for the first time.
REFUSED = 10
TOLD = {PostState.PUBLISHED: POST_PUBLISHED, PostState.FAILED: POST_FAILED}


@dataclass
class Audience(Receiver):
    """Refuses some of what it is told, each once; what nobody signed breaks the connection."""

    secret: str = ""
    webhook_id: int = 0
    patient: bool = False  # refuses nothing any more
    taken: list[Heard] = field(default_factory=list)  # what it did not refuse
    known: set[str] = field(default_factory=set)

    def take(self, one: Heard) -> Say:
        one.verified(self.secret)
        disliked = zlib.crc32(one.id.encode()) % REFUSED == 0
        refuses = disliked and one.id not in self.known and not self.patient
        self.known.add(one.id)
        self.heard.append(one)
        if refuses:
            return Say(500)
        self.taken.append(one)
        return Say(200)

    def subscribe(self, client: Client, url: str) -> None:
        """To the ends of all posts and jobs; `url`: of the way to it."""
        body = {"url": url, "events": [*TOLD.values(), JOB_COMPLETED]}
        made = client.insist("POST", "/webhooks", once="the audience", json=body)
        self.secret, self.webhook_id = made["secret"], int(made["id"])


def more_than_once(heard: Sequence[Heard]) -> int:
    """How many events came again, refused ones included."""
    return sum(count > 1 for count in Counter(one.id for one in heard).values())


def untold(
    heard: Sequence[Heard], taken: Sequence[Heard], posts: Sequence[Post], jobs: Sequence[Job]
) -> Iterator[tuple[str, int | None]]:
    """What was never taken, or told though it is not so; and the post concerned."""
    told = _by_event(taken)
    for post in posts:
        event = TOLD.get(PostState(post.state))
        if event and post.id not in told[event]:
            yield f"post {post.id} is {post.state}, and nobody was told", post.id
    for job in jobs:
        if job.finished_at and job.id not in told[JOB_COMPLETED]:
            yield f"job {job.id} ended, and nobody was told", None
    published = {post.id for post in posts if post.state == PostState.PUBLISHED}
    for post_id in _by_event(heard)[POST_PUBLISHED] - published:
        yield f"post {post_id} was told to be published, and is not", post_id


def _by_event(heard: Sequence[Heard]) -> Mapping[str, AbstractSet[int]]:
    """The ids that each event was told of."""
    told: dict[str, set[int]] = defaultdict(set)
    for one in heard:
        told[one.payload["type"]].add(int(one.payload["data"]["id"]))
    return told
