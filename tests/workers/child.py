"""A worker child as a process of its own, without Celery: `python -m tests.workers.child WHAT…`.

It looks for due work again and again until it is killed. `deaf`: it hears no invalidation, as if
every message were lost. `careless`: besides, nothing of it compares versions, which must be caught.
`brief`: PostgreSQL ends a transaction in which nothing happens after a second.
"""

import sys
import time

from shared import db
from shared.profiles import publisher_cache
from shared.profiles.invalidation import Listener
from tests.workers.inline_tasks import InlineWaker, Rounds
from worker import runtime


def carelessly() -> None:
    """Take the version check out of the cache and of every call."""
    publisher_cache.PublisherFactory.check = lambda *_: None  # type: ignore[method-assign]
    kept = publisher_cache.Publishers._find_fresh
    publisher_cache.Publishers._find_fresh = lambda self, profile_id, version: kept(  # type: ignore[method-assign]
        self, profile_id, 0
    )


def main(words: list[str]) -> None:
    if "careless" in words:
        carelessly()
    if {"deaf", "careless"} & set(words):
        Listener._read_messages = lambda self: time.sleep(0.2)  # type: ignore[method-assign]
    if "brief" in words:
        db.IDLE_IN_TRANSACTION_MS = 1000
    built = runtime.build_runtime(InlineWaker())
    rounds = Rounds(built)
    print("working", flush=True)
    while True:
        rounds.run_due()


if __name__ == "__main__":
    main(sys.argv[1:])
