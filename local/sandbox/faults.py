"""Faults that can be switched on: which there are, and which of them a request or a post meets."""

import json
import random
from collections.abc import Mapping, Sequence
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
#: Inside of one endpoint, in the middle of its work; each kind has its route.
INSIDE_KINDS = {
    "refused_by_network": "POST /posts",
    "killed_in_release": "PUT /posts/:id/status",
}
PUBLISH_KINDS = (
    "publish_error",
    "unknown_error",
    "token_failure",
    "unconfirmed",
    "pending",
    "slow_publishing",
    "never_publish",
)
PART_KINDS = ("part_error",)
SERVER_KINDS = ("refuse",)
KINDS = (*WIRE_KINDS, *UPLOAD_KINDS, *INSIDE_KINDS, *PUBLISH_KINDS, *PART_KINDS, *SERVER_KINDS)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A post that a request or a workflow is about; `id` is None where it has none yet."""

    id: str | None
    integration: str
    content: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a fault needs to know of a request; `type` is that of a POST /posts."""

    label: str
    org: str | None
    subjects: Sequence[Subject] = ()
    type: str | None = None


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`times` counts down to nothing; None is until removed.

    `args` may narrow it to some posts: by `post`, `integration` and `contains`, and for a POST
    /posts by `type`. A request meets a narrowed fault if one of its posts does.
    """

    kind: str
    route: str = "*"
    probability: float = 1.0
    times: int | None = None
    org: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0

    def on_request(self, asked: Asked) -> bool:
        return (
            self._on_route(asked.label)
            and self.org in (None, asked.org)
            and self.args.get("type") in (None, asked.type)
            and (not self._is_narrowed() or any(map(self.concerns, asked.subjects)))
        )

    def _on_route(self, label: str) -> bool:
        if self.kind in INSIDE_KINDS:
            return label == INSIDE_KINDS[self.kind]
        if self.kind in UPLOAD_KINDS and label != "POST /upload":
            return False
        if self.kind not in (*WIRE_KINDS, *UPLOAD_KINDS):
            return False
        method, _, path = self.route.partition(" ")
        return self.route in ("*", label) or (path == "*" and label.startswith(f"{method} "))

    def on_publishing(self, post: Post) -> bool:
        return self.kind in PUBLISH_KINDS and self._is_on(post)

    def on_part(self, first: Post, number: int) -> bool:
        """Of a part after the first; `args` may name its number by `part`."""
        is_meant = self.args.get("part", number) == number
        return self.kind in PART_KINDS and is_meant and self._is_on(first)

    def _is_on(self, post: Post) -> bool:
        subject = Subject(id=post.id, integration=post.integration, content=post.content)
        return self.org in (None, post.org) and self.concerns(subject)

    def concerns(self, subject: Subject) -> bool:
        return (
            self.args.get("post") in (None, subject.id)
            and self.args.get("integration") in (None, subject.integration)
            and self.args.get("contains", "") in subject.content
        )

    def _is_narrowed(self) -> bool:
        return not self.args.keys().isdisjoint(("post", "integration", "contains"))


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

    def for_request(self, asked: Asked) -> Fault | None:
        return self._first([each for each in self._faults if each.on_request(asked)])

    def for_publishing(self, post: Post) -> Fault | None:
        return self._first([each for each in self._faults if each.on_publishing(post)])

    def for_part(self, first: Post, number: int) -> Fault | None:
        return self._first([each for each in self._faults if each.on_part(first, number)])

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
