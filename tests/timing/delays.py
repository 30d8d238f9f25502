"""How late a busy machine is by itself, so that a test does not hold it against Pressroom."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests

from local.sandbox.process import Admin
from tests.timing.patience import PATIENCE

_NAME = "sent="


@dataclass(frozen=True, kw_only=True)
class Delay:
    """From just before a call was sent to the sandbox's own note of it (Unix time, seconds): what a
    worker that calls at that moment waits for a processor, and the sandbox for its turn."""

    sent: float
    noted: float

    @property
    def seconds(self) -> float:
        return self.noted - self.sent


class Calls(threading.Thread):
    """Calls the sandbox all the while, without a key; its ledger has how long each call took."""

    def __init__(self, api_url: str, *, pause: float = 0.02) -> None:
        super().__init__(daemon=True)
        self._url, self._pause = f"{api_url}/is-connected", pause
        self._over = threading.Event()

    def run(self) -> None:
        with requests.Session() as session:
            while not self._over.wait(self._pause):
                with suppress(requests.RequestException):  # it may be frozen, or started again
                    session.get(f"{self._url}?{_NAME}{time.time()}", timeout=PATIENCE)

    def stop(self) -> None:
        self._over.set()
        self.join()


def is_ours(row: Mapping[str, Any]) -> bool:
    return str(row["query"]).startswith(_NAME)


def delays_in(rows: Iterable[Mapping[str, Any]]) -> list[Delay]:
    """Of our own calls among the requests of a ledger."""
    return [
        Delay(sent=float(row["query"].removeprefix(_NAME)), noted=row["time"])
        for row in rows
        if is_ours(row)
    ]


@contextmanager
def measured(sandbox: Admin, api_url: str) -> Iterator[Callable[[], float]]:
    """Gives the longest that a call of that time took to arrive, in seconds."""
    calls = Calls(api_url)
    calls.start()
    try:
        yield lambda: longest(delays_in(sandbox.ledger(kind="request")))
    finally:
        calls.stop()


def delay_at(moment: float, delays: Iterable[Delay]) -> float:
    """How late a call may have been that was noted then: as the latest of the second before it."""
    return longest(each for each in delays if each.sent <= moment <= each.noted + 1)


def longest(delays: Iterable[Delay]) -> float:
    return max((delay.seconds for delay in delays), default=0.0)
