"""A process with a cache of publishers and a listener, led by lines: `get`, `len`, `reset`."""

import sys
import threading
import time

from shared.profiles.publisher_cache import Publishers
from shared.task_queue import Waker
from worker import runtime


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


def main() -> None:
    runtime.Publishers = Telling  # type: ignore[attr-defined]
    built = runtime.build_runtime(NoWaker())
    assert built.listener is not None
    built.listener.listening.wait(30)
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
            case ["len"]:
                print(f"len {len(built.publishers)}", flush=True)
            case ["reset"]:
                built.publishers.reset()


if __name__ == "__main__":
    main()
