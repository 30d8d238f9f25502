"""With rq."""

import os
from collections.abc import Sequence

from redis import Redis
from rq import Queue

from tests.workers.naive.counted_call import make_counted_call

queue = Queue(connection=Redis.from_url(os.environ["NAIVE_URL"]))


def enqueue_posts(posts: Sequence[tuple[str, str]]) -> None:
    for api_url, content in posts:
        queue.enqueue(make_counted_call, api_url, content, result_ttl=0)
