"""The sandbox's faults, each kind at each route, fed so that a few always stand."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from local.sandbox.faults import WIRE_KINDS
from local.sandbox.process import Admin

#: The routes that Pressroom calls. A route named twice is met often, and is where it hurts.
ROUTES = (
    "PUT /posts/:id/status",
    "POST /posts",
    "GET /posts",
    "DELETE /posts/:id",
    "POST /upload",
    "GET /integrations",
    "GET /is-connected",
    "GET /notifications",
)
STANDING_AT_A_ROUTE = 2
NETWORK_KINDS = ("publish_error", "publish_error_that_recovers", "never_publish", "refuse")


class Wanted(NamedTuple):
    kind: str
    route: str
    times: int
    args: dict[str, Any]


def combinations(rng: random.Random, orgs: list[str]) -> Iterator[tuple[Wanted, str | None]]:
    """Every kind at every route, in a new order each time round; forever."""
    for round_number in itertools.count():
        every = [(kind, route) for kind in WIRE_KINDS for route in ROUTES]
        every += [(kind, "*") for kind in NETWORK_KINDS]
        rng.shuffle(every)
        for kind, route in every:
            times = 1 if kind in ("hang", "refuse", "never_publish") else rng.choice((1, 1, 2))
            org = rng.choice([None, *orgs]) if round_number else None
            yield Wanted(kind, route, times, _args(rng, kind)), org


def _args(rng: random.Random, kind: str) -> dict[str, Any]:
    """Seconds, mostly. A proxy that repeats our PUT does so at once: see docs/RELIABILITY.md."""
    match kind:
        case "hang_then_do":
            return {"seconds": round(rng.uniform(3, 12), 1)}
        case "slow":
            return {"seconds": round(rng.uniform(0.2, 2.5), 1)}
        case "spontaneous_429":
            return {"retry_after": rng.randint(1, 4)}
        case "stop_midway":
            return {"elements": rng.choice((0, 1, 3))}
        case "html_502":
            return {"after": rng.random() < 0.5}
        case "refuse":
            return {"seconds": rng.uniform(0.5, 3)}
        case "publish_error_that_recovers":
            return {"recover": round(rng.uniform(0.5, 2), 1)}
    return {}


class Feeder(threading.Thread):
    """Adds faults until `total` were met, spread over `seconds`, or until it is told to stop."""

    def __init__(
        self, sandbox: Admin, rng: random.Random, orgs: list[str], *, total: int, seconds: float
    ) -> None:
        super().__init__(daemon=True)
        self._sandbox = sandbox
        self._wanted = combinations(rng, orgs)
        self._late: list[tuple[Wanted, str | None]] = []
        self._total = total
        self._seconds = seconds
        self._over = threading.Event()
        self._added = 0
        self.refused = 0  # of the kind that closes the listening socket: the ledger cannot say

    def run(self) -> None:
        began = time.monotonic()
        while not self._over.wait(0.2):
            share = min(1.0, (time.monotonic() - began) / self._seconds)
            standing = self._sandbox.faults()
            met = self._added - sum(fault["times"] for fault in standing)
            wanted = round(self._total * share) + 10 - met
            for _ in range(min(5, max(0, wanted))):
                self._add_one(Counter(fault["route"] for fault in standing))

    def _add_one(self, standing: Counter[str]) -> None:
        """The next that fits; those whose route has enough standing wait for their turn."""
        for index, (wanted, org) in enumerate(self._late):
            if standing[wanted.route] < STANDING_AT_A_ROUTE:
                del self._late[index]
                return self._add(wanted, org, standing)
        for wanted, org in itertools.islice(self._wanted, 50):
            if wanted.route == "*" or standing[wanted.route] < STANDING_AT_A_ROUTE:
                return self._add(wanted, org, standing)
            self._late.append((wanted, org))
        return None

    def _add(self, wanted: Wanted, org: str | None, standing: Counter[str]) -> None:
        kind = wanted.kind.removesuffix("_that_recovers")
        self._sandbox.add_fault(
            kind, route=wanted.route, times=wanted.times, org=org, **wanted.args
        )
        if kind == "refuse":
            self.refused += 1
            time.sleep(wanted.args["seconds"] + 0.3)  # its controls are closed too
            return
        standing[wanted.route] += 1
        self._added += wanted.times

    def stop(self) -> None:
        """No more faults: those that nobody met are taken away."""
        self._over.set()
        self.join()
        self._sandbox.clear_faults()
