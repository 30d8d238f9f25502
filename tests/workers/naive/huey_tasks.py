"""With huey."""

import os
from collections.abc import Sequence

from huey import RedisHuey

from tests.workers.naive.counted_call import make_counted_call

queue = RedisHuey("naive", url=os.environ["NAIVE_URL"], results=False)
publish = queue.task()(make_counted_call)


def enqueue_posts(posts: Sequence[tuple[str, str]]) -> None:
    for api_url, content in posts:
        publish(api_url, content)
