"""A process with a cache of publishers and a listener, led by lines: `get`, `fill`, `len`, `reset`.

Besides, it says when it hears a message on a channel of its own, with nothing but a Redis client.
"""

import os
import sys
import threading
import time

import redis

from shared.profiles.publisher_cache import Publishers
from shared.task_queue import Waker
from worker import runtime

#: The channel that it listens to without Pressroom.
PLAIN = "plain"


class Telling(Publishers):
    """Says when something was dropped."""

    def reset(self, profile_id: str | None = None) -> None:
        had = len(self)
        super().reset(profile_id)
        if had:
            print(f"dropped {time.time()}", flush=True)


class NoWaker(Waker):
    def __init__(self) -> None:
        """Wakes nobody."""


def listen_plainly(client: redis.Redis, ready: threading.Event) -> None:
    with client.pubsub() as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(PLAIN)
        for message in channel.listen():
            ready.set()
            if message["type"] == "message":
                print(f"heard {time.time()}", flush=True)


def start_plain_listener() -> None:
    ready = threading.Event()
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    threading.Thread(target=listen_plainly, args=(client, ready), daemon=True).start()
    ready.wait(30)


def main() -> None:
    runtime.Publishers = Telling  # type: ignore[attr-defined]
    built = runtime.build_runtime(NoWaker())
    assert built.listener is not None
    built.listener.listening.wait(30)
    start_plain_listener()
    print("ready", flush=True)
    for line in sys.stdin:
        match line.split():
            case ["get", profile_id, version]:
                get = (profile_id, int(version))
                threads = [
                    threading.Thread(target=built.publishers.get, args=get) for _ in range(8)
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                print(f"builds {built.publishers.builds}", flush=True)
            case ["fill", profile_id, version]:
                built.publishers.get(profile_id, int(version))
                print("filled", flush=True)
            case ["len"]:
                print(f"len {len(built.publishers)}", flush=True)
            case ["reset"]:
                built.publishers.reset()


if __name__ == "__main__":
    main()
