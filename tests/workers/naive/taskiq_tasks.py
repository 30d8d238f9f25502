"""With taskiq."""

import asyncio
import os
from collections.abc import Sequence

from taskiq_redis import ListQueueBroker

from tests.workers.naive.counted_call import make_counted_call

broker = ListQueueBroker(os.environ["NAIVE_URL"])
publish = broker.task("naive.publish")(make_counted_call)


def enqueue_posts(posts: Sequence[tuple[str, str]]) -> None:
    asyncio.run(_enqueue(posts))


async def _enqueue(posts: Sequence[tuple[str, str]]) -> None:
    await broker.startup()
    for api_url, content in posts:
        await publish.kiq(api_url, content)
    await broker.shutdown()
