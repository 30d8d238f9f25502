"""The sandbox's faults, each kind at each route, fed so that a few always stand."""

import random
import threading
import time
from collections import Counter
from typing import Any, NamedTuple

from local.sandbox.faults import UPLOAD_KINDS, WIRE_KINDS
from local.sandbox.process import Admin

#: The routes that Pressroom calls, and how often a fault is put there: most where it hurts most.
ROUTES = {
    "PUT /posts/:id/status": 8,
    "POST /posts": 5,
    "GET /posts": 5,
    "DELETE /posts/:id": 3,
    "POST /upload": 2,
    "GET /integrations": 2,
    "GET /is-connected": 1,
    "GET /notifications": 1,
}
#: Not at a route: the network refuses a post, or the whole server refuses connections.
NETWORK, SERVER = "network", "server"
#: No proxy repeats a POST (docs/POSTIZ.md, "When a part of Postiz is down or restarts"); a second
#: draft would be harmless, and stay.
_POST_KINDS = tuple(kind for kind in WIRE_KINDS if kind != "repeat_request")
KINDS_AT = {
    **dict.fromkeys(ROUTES, WIRE_KINDS),
    "POST /posts": _POST_KINDS,
    "POST /upload": (*_POST_KINDS, *UPLOAD_KINDS),
    NETWORK: (
        "publish_error",
        "publish_error_that_recovers",
        "never_publish",
        "part_error",
        "part_error_that_recovers",
    ),
    SERVER: ("refuse",),
}
WEIGHTS = {**ROUTES, NETWORK: 3, SERVER: 2}
STANDING_AT_A_PLACE = 4
#: So many faults wait for one organization; the others meet whoever calls next.
TO_ONE_ORG = 0.3
#: One fault in so many closes the listening socket.
REFUSALS = 20


class Wanted(NamedTuple):
    kind: str
    place: str
    times: int
    args: dict[str, Any]
    org: str | None


class Deck:
    """At every place every kind, in a new order each time round."""

    def __init__(self, rng: random.Random, orgs: list[str]) -> None:
        self._rng = rng
        self._orgs = orgs
        self._piles: dict[str, list[str]] = {place: [] for place in KINDS_AT}

    def draw(self, standing: Counter[str]) -> Wanted | None:
        """The next at a place that has room, if one has."""
        open_places = [place for place in KINDS_AT if standing[place] < STANDING_AT_A_PLACE]
        if not open_places:
            return None
        weights = [WEIGHTS[place] for place in open_places]
        [place] = self._rng.choices(open_places, weights)
        pile = self._piles[place]
        if not pile:
            pile += self._rng.sample(KINDS_AT[place], len(KINDS_AT[place]))
        kind = pile.pop()
        once = kind in ("hang", "refuse", "never_publish")
        return Wanted(
            kind=kind,
            place=place,
            times=1 if once else self._rng.choice((1, 1, 2)),
            args=_args(self._rng, kind),
            org=self._rng.choice(self._orgs) if self._rng.random() < TO_ONE_ORG else None,
        )


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
        case "part_error":
            return {"part": rng.choice((1, 2))}
        case "publish_error_that_recovers" | "part_error_that_recovers":
            return {"recover": round(rng.uniform(0.5, 2), 1)}
    return {}


class Feeder(threading.Thread):
    """Adds faults until `total` were met, spread over `seconds`, or until it is told to stop."""

    def __init__(
        self, sandbox: Admin, rng: random.Random, orgs: list[str], *, total: int, seconds: float
    ) -> None:
        super().__init__(daemon=True)
        self._sandbox = sandbox
        self._deck = Deck(rng, orgs)
        self._total = total
        self._seconds = seconds
        self._over = threading.Event()
        self._added = 0
        self.refused = 0  # of the kind that closes the listening socket: the ledger cannot say

    def run(self) -> None:
        began = time.monotonic()
        while self._total and not self._over.wait(0.2):
            share = min(1.0, (time.monotonic() - began) / self._seconds)
            standing = self._standing()
            met = self.refused + self._added - sum(fault["times"] for fault in standing)
            if met < self._total * share:
                taken = Counter(map(_place, standing))
                taken[SERVER] = STANDING_AT_A_PLACE if self.refused > met / REFUSALS else 0
                if wanted := self._deck.draw(taken):
                    self._add(wanted)

    def _add(self, wanted: Wanted) -> None:
        kind = wanted.kind.removesuffix("_that_recovers")
        route = wanted.place if wanted.place in ROUTES else "*"
        self._sandbox.add_fault(
            kind, route=route, times=wanted.times, org=wanted.org, **wanted.args
        )
        if kind == "refuse":
            self.refused += 1
            time.sleep(wanted.args["seconds"] + 0.3)  # its controls are closed too
        else:
            self._added += wanted.times

    def stop(self) -> None:
        """No more faults: those that nobody met are taken away; what is about one post stays."""
        self._over.set()
        self.join()
        if self._total:
            for fault in self._standing():
                self._sandbox.remove_fault(fault["id"])

    def _standing(self) -> list[dict[str, Any]]:
        return [fault for fault in self._sandbox.faults() if "contains" not in fault["args"]]


def _place(fault: dict[str, Any]) -> str:
    return fault["route"] if fault["route"] in ROUTES else NETWORK
