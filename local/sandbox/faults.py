"""Faults that can be switched on: which there are, and which of them a request or a post meets."""

import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .database import Database, dump
from .posts import Post
from .routes import LABELS

WIRE_KINDS = (
    "reply_lost_after",
    "reply_lost_before",
    "hang_then_do",
    "hang",
    "error_500_after",
    "error_500_before",
    "error_402",
    "html_502",
    "empty_401",
    "slow",
    "spontaneous_429",
    "stop_midway",
    "truncated_reply",
    "repeat_request",
)
UPLOAD_KINDS = ("cut_short",)
PUBLISH_KINDS = ("publish_error", "never_publish")
SERVER_KINDS = ("refuse",)
KINDS = WIRE_KINDS + UPLOAD_KINDS + PUBLISH_KINDS + SERVER_KINDS


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`times` counts down to nothing; None is until removed."""

    kind: str
    route: str = "*"
    probability: float = 1.0
    times: int | None = None
    org: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0

    def on_request(self, label: str, org: str | None) -> bool:
        on_wire = self.kind in WIRE_KINDS or (self.kind in UPLOAD_KINDS and label == "POST /upload")
        return on_wire and self._on_route(label) and self.org in (None, org)

    def _on_route(self, label: str) -> bool:
        method, _, path = self.route.partition(" ")
        return self.route in ("*", label) or (path == "*" and label.startswith(f"{method} "))

    def on_publishing(self, post: Post) -> bool:
        """`args.integration` and `args.contains` narrow it to some posts."""
        return (
            self.kind in PUBLISH_KINDS
            and self.org in (None, post.org)
            and self.args.get("integration") in (None, post.integration)
            and self.args.get("contains", "") in post.content
        )


def read_fault(spec: Mapping[str, Any]) -> Fault:
    """A Fault from its JSON; raises ValueError in words for whoever wrote it."""
    unknown = set(spec) - (set(Fault.__dataclass_fields__) - {"id"})
    if unknown:
        raise ValueError(f"unknown field: {', '.join(sorted(unknown))}")
    if spec.get("kind") not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    route = spec.get("route", "*")
    if route != "*" and not str(route).endswith(" *") and route not in LABELS:
        raise ValueError(f"route must be *, `METHOD *`, or one of {', '.join(LABELS)}")
    return Fault(**{**spec, "args": spec.get("args") or {}})


class FaultBook:
    """The faults that are on, in the order they came; the first that hits is met."""

    def __init__(self, database: Database, chance: random.Random) -> None:
        self._database = database
        self._chance = chance
        rows = database.rows("SELECT id, spec FROM faults ORDER BY id")
        self._faults = [replace(Fault(**json.loads(row["spec"])), id=row["id"]) for row in rows]

    def add(self, fault: Fault) -> Fault:
        number = self._database.run("INSERT INTO faults (spec) VALUES (?)", "{}").lastrowid
        assert number is not None
        kept = replace(fault, id=number)
        self._faults.append(kept)
        self._save(kept)
        return kept

    def all(self) -> list[Fault]:
        return list(self._faults)

    def remove(self, number: int | None = None) -> None:
        """One fault, or all of them."""
        self._faults = [each for each in self._faults if number not in (None, each.id)]
        self._database.run("DELETE FROM faults WHERE ?1 IS NULL OR id = ?1", number)

    def for_request(self, label: str, org: str | None) -> Fault | None:
        return self._first([each for each in self._faults if each.on_request(label, org)])

    def for_publishing(self, post: Post) -> Fault | None:
        return self._first([each for each in self._faults if each.on_publishing(post)])

    def _first(self, candidates: list[Fault]) -> Fault | None:
        for fault in candidates:
            if self._chance.random() < fault.probability:
                self._use(fault)
                return fault
        return None

    def _use(self, fault: Fault) -> None:
        if fault.times is None:
            return
        if fault.times <= 1:
            self.remove(fault.id)
            return
        used = replace(fault, times=fault.times - 1)
        self._faults[self._faults.index(fault)] = used
        self._save(used)

    def _save(self, fault: Fault) -> None:
        sql = "UPDATE faults SET spec = ? WHERE id = ?"
        self._database.run(sql, dump(asdict(fault)), fault.id)
