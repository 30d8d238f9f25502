"""With saq."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from saq import Queue

from tests.workers.naive.counted_call import make_counted_call


async def publish(_: Any, *, api_url: str, content: str) -> None:
    await asyncio.to_thread(make_counted_call, api_url, content)


settings = {
    "queue": Queue.from_url(os.environ["NAIVE_URL"]),
    "functions": [publish],
    "concurrency": 1,
}


def enqueue_posts(posts: Sequence[tuple[str, str]]) -> None:
    asyncio.run(_enqueue(posts))


async def _enqueue(posts: Sequence[tuple[str, str]]) -> None:
    queue = Queue.from_url(os.environ["NAIVE_URL"])
    await queue.connect()
    for api_url, content in posts:
        await queue.enqueue("publish", api_url=api_url, content=content)
    await queue.disconnect()
