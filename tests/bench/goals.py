"""What is to be reached, and what was measured before releases were made in batches."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Goal:
    """`before`: measured on 2026-11-26, two cores, with the commit before ADR 0015."""

    what: str
    sign: str
    bound: float
    unit: str = ""
    before: str = ""

    def is_met(self, measured: float) -> bool:
        return measured >= self.bound if self.sign == "≥" else measured <= self.bound

    def describe_bound(self) -> str:
        return f"{self.sign} {self.show(self.bound)}"

    def show(self, value: float) -> str:
        return f"{value:.3g}{self.unit}"


AT_ONCE = "end to end, 0 ms"
AT_50_MS = "end to end, 50 ms"
CPU = "CPU of a post"
COUNTED_CALLS = "counted calls"
ACCEPTING_ONE = "accepting one"
BULK = "accepting a bulk"
UPLOAD_RATE = "uploads"
UPLOAD_MEMORY = "memory of uploads"
LATENESS = "lateness"
SINGLE_POST = "single post"
GROWTH = "growth"
IDLE_CPU = "idle CPU"
IDLE_QUERIES = "idle queries"
IDLE_MEMORY = "idle memory"
START = "start"
PAGES = "pages"
MOVES, MANY_MOVES = "moving 10,000", "moving 100,000"

GOALS: Mapping[str, Goal] = {
    AT_ONCE: Goal(
        what="posts a second at 0 ms, one server; of naive Celery's",
        sign="≥",
        bound=1,
        unit=" times",
        before="0.12 times (17 of 144 a second)",
    ),
    AT_50_MS: Goal(
        what="posts a second at 50 ms, one server; of naive Celery's",
        sign="≥",
        bound=3,
        unit=" times",
        before="0.27 times (12 of 45 a second)",
    ),
    CPU: Goal(
        what="CPU of a post at 0 ms, all processes; of naive Celery's",
        sign="≤",
        bound=1.5,
        unit=" times",
        before="8 times",
    ),
    COUNTED_CALLS: Goal(
        what="counted calls for 1,000 posts; of naive Celery's",
        sign="≤",
        bound=0.01,
        unit=" times",
        before="0.007 times",
    ),
    ACCEPTING_ONE: Goal(
        what="single posts accepted a second; of a bare view's",
        sign="≥",
        bound=0.5,
        unit=" times",
        before="11 a second",
    ),
    BULK: Goal(
        what="a bulk of 10,000 accepted; of a plain insert's rate",
        sign="≥",
        bound=0.25,
        unit=" times",
        before="2.8 s",
    ),
    UPLOAD_RATE: Goal(
        what="1 GiB in and out; of a direct upload's rate",
        sign="≥",
        bound=0.7,
        unit=" times",
        before="0.18 times (600 MB)",
    ),
    UPLOAD_MEMORY: Goal(
        what="growth of the largest process meanwhile",
        sign="≤",
        bound=64,
        unit=" MiB",
        before="7 MB",
    ),
    LATENESS: Goal(
        what="lateness, 99th percentile: 1,000 a minute over 20 servers, a neighbour draining",
        sign="≤",
        bound=1,
        unit=" s",
        before="0.7 s at most, beside 1,000",
    ),
    SINGLE_POST: Goal(
        what="a single post beside a hanging account and one with 2,000 posts, two children",
        sign="≤",
        bound=3,
        unit=" s",
        before="6.8 s",
    ),
    GROWTH: Goal(
        what="the slowest growth of a search, from few posts to many",
        sign="≤",
        bound=1.5,
        unit=" times",
    ),
    IDLE_CPU: Goal(
        what="idle: of a core, the whole embedded stack",
        sign="≤",
        bound=1,
        unit=" %",
        before="21 %",
    ),
    IDLE_QUERIES: Goal(what="idle: queries a second", sign="≤", bound=5, before="8 transactions"),
    IDLE_MEMORY: Goal(what="idle: memory", sign="≤", bound=500, unit=" MB", before="1,100 MB"),
    PAGES: Goal(what="the slowest page with 1,000,000 posts", sign="≤", bound=300, unit=" ms"),
    MOVES: Goal(what="10,000 posts moved by one request", sign="≤", bound=5, unit=" s"),
    MANY_MOVES: Goal(what="100,000 posts moved by one request", sign="≤", bound=60, unit=" s"),
    START: Goal(what="ready after `make up`", sign="≤", bound=6, unit=" s", before="17 s"),
}
