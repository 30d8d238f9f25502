"""With dramatiq."""

import os
from collections.abc import Sequence

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from tests.workers.naive.counted_call import make_counted_call

broker = RedisBroker(url=os.environ["NAIVE_URL"])
dramatiq.set_broker(broker)
publish = dramatiq.actor(make_counted_call)


def enqueue_posts(posts: Sequence[tuple[str, str]]) -> None:
    for api_url, content in posts:
        publish.send(api_url, content)
