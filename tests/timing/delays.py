"""How late a busy machine is by itself, so that a test does not hold it against Pressroom."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from local.sandbox.process import Admin
from tests.timing.patience import PATIENCE

_PAUSE = 0.02
_NAME = "sent="


@contextmanager
def measured(sandbox: Admin, api_url: str) -> Iterator[Callable[[], float]]:
    """Calls the sandbox all the while; gives the longest that a call of that time took to arrive.

    In seconds, from just before it was sent to the sandbox's own note of it: what a worker that
    calls at that moment waits for a processor, and the sandbox for its turn.
    """
    over = threading.Event()

    def call_again_and_again() -> None:
        with requests.Session() as session:
            while not over.wait(_PAUSE):
                url = f"{api_url}/is-connected?{_NAME}{time.time()}"
                session.get(url, timeout=PATIENCE)

    thread = threading.Thread(target=call_again_and_again, daemon=True)
    thread.start()
    try:
        yield lambda: _longest(sandbox)
    finally:
        over.set()
        thread.join()


def _longest(sandbox: Admin) -> float:
    rows = [row for row in sandbox.ledger(kind="request") if row["query"].startswith(_NAME)]
    return max((row["time"] - float(row["query"].removeprefix(_NAME)) for row in rows), default=0.0)
