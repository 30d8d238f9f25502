"""Calls that nobody waits for: they take the places of those for whom they are made."""

import threading

from web.bounded_calls import BoundedCalls
from web.concurrency_limits import ConcurrencyLimit


def test_calls_that_hang_take_the_places_of_their_holder_alone() -> None:
    calls = BoundedCalls(ConcurrencyLimit(4, "calls", retry_after=1, each=2), threads=4)
    over, begun = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        begun.release()
        over.wait(60)

    try:
        for _ in range(4):
            calls.begin(hang, holder="slow")
        assert [begun.acquire(timeout=60) for _ in range(2)] == [True, True]
        assert not begun.acquire(timeout=0.2), "it has its share of two"
        assert calls.within(60, lambda: "answered", holder="other") == "answered"
    finally:
        over.set()
        calls.close()
