"""How long it takes to go on: after a kill, and after a fault at a release."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.diary import Diary
from tests.chaos.evidence import Evidence

#: What a release that met a fault ends in, for certain.
CERTAIN = frozenset({"scheduled", "first_part_published", "published", "failed", "cancelled"})


@dataclass(frozen=True, kw_only=True)
class Times:
    p50: float
    p99: float
    longest: float
    count: int

    def __str__(self) -> str:
        return f"{self.p50:.1f} / {self.p99:.1f} / {self.longest:.1f} s (of {self.count})"


def times(seconds: Sequence[float]) -> Times | None:
    ordered = sorted(seconds)
    if not ordered:
        return None
    return Times(
        p50=ordered[len(ordered) // 2],
        p99=ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
        longest=ordered[-1],
        count=len(ordered),
    )


def after_kills(evidence: Evidence, diary: Diary) -> Times | None:
    """From each kill to the next line in any post's timeline."""
    steps = sorted(event.at.timestamp() for rows in evidence.events.values() for event in rows)
    found = []
    for kill in diary.of("kill"):
        index = bisect_right(steps, kill.at)
        if index < len(steps):
            found.append(steps[index] - kill.at)
    return times(found)


def after_release_faults(evidence: Evidence) -> Times | None:
    """From the end of a fault at a status change until it is certain what became of the post."""
    owner = evidence.owner
    found = []
    for row in evidence.requests:
        post_id = owner.get(row["params"].get("id", ""))
        if row.get("fault") and row["method"] == "PUT" and post_id is not None:
            ended = row.get("finished") or row["time"]
            later = [
                event.at.timestamp() - ended
                for event in evidence.events[post_id]
                if event.event in CERTAIN and event.at.timestamp() > ended
            ]
            found += later[:1]
    return times(found)
