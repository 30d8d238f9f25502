"""Without a queue: the calls are made from threads at once, which is the most there can be."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.workers.naive.counted_call import make_counted_call

#: As many calls as Pressroom has under way to one server.
_threads = ThreadPoolExecutor(32)


def enqueue_posts(posts: Sequence[tuple[str, str]]) -> None:
    for _ in _threads.map(lambda post: make_counted_call(*post), posts):
        pass
