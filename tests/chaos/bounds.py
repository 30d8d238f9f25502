"""The bounds: what is repeated ends, whoever is refused stops asking, and no pool stands still."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from shared.domain.publishing.retry_limits import DELETES, ORPHAN_DELETES
from tests.chaos.diary import Diary
from tests.chaos.evidence import Evidence
from tests.chaos.refusals import refused_calls, too_many_refused

#: Of one id: those that its post waits for, and those of a draft that is in a person's way.
MOST_DELETES = DELETES.most + ORPHAN_DELETES.most
#: Of one post: far above what faults and kills need, far below a loop without end.
MOST_EVENTS = 120
#: A status change that was answered so has certainly not been made.
NOT_MADE = frozenset({401, 402, 429})
#: Nothing happened to any post for so long (seconds), though posts were due all the time.
LONGEST_SILENCE = 60.0

#: No post: by it Pressroom finds out whether a Postiz has the route.
PROBE = "pressroom-probe"


def repeated(evidence: Evidence) -> Iterator[tuple[str, int | None]]:
    """What was done again and again, and the post concerned."""
    owner = evidence.owner
    for id_, calls in calls_by_id(evidence, "DELETE").items():
        if calls > MOST_DELETES:
            yield f"{id_} was deleted {calls} times", owner.get(id_)
    for id_, calls in calls_by_id(evidence, "PUT").items():
        if calls > 1:
            yield f"{id_} was released {calls} times, not knowing better", owner.get(id_)
    for post_id, events in evidence.events.items():
        if len(events) > MOST_EVENTS:
            yield f"post {post_id} has {len(events)} events", post_id


def calls_by_id(evidence: Evidence, method: str) -> Counter[str]:
    """How many calls of ours named each id of Postiz's; of status changes those that may count."""
    return Counter(
        row["params"]["id"]
        for row in evidence.requests
        if row["method"] == method
        and row["params"].get("id", PROBE) != PROBE
        and not row["key"].endswith(("-teammate", "-neighbour"))
        and not (method == "PUT" and row.get("status") in NOT_MADE)
    )


def counted_calls(evidence: Evidence) -> Counter[str]:
    """Of ours, by organization."""
    return Counter(
        str(row["org"])
        for row in evidence.requests
        if row["route"] == "POST /posts" and not row["key"].endswith(("-teammate", "-neighbour"))
    )


def refused(evidence: Evidence, diary: Diary) -> Iterator[str]:
    return too_many_refused(evidence.requests, diary)


def silences(evidence: Evidence, diary: Diary) -> list[float]:
    """Between two lines in any timeline, from the first to the last thing that was done."""
    moments = [entry.at for entry in diary.entries]
    steps = [event.at.timestamp() for rows in evidence.events.values() for event in rows]
    inside = sorted(at for at in steps if moments and min(moments) <= at <= max(moments))
    return [later - earlier for earlier, later in itertools.pairwise(inside)]


def too_silent(evidence: Evidence, diary: Diary) -> Iterator[str]:
    longest = max(silences(evidence, diary), default=0.0)
    if longest > LONGEST_SILENCE:
        yield f"nothing happened for {longest:.0f} s"


def summary(evidence: Evidence, diary: Diary) -> Iterator[tuple[str, object]]:
    """Rows of the table: how near to the bounds it came."""
    deletes = most(calls_by_id(evidence, "DELETE").values())
    events = most(len(rows) for rows in evidence.events.values())
    yield "deletes of one id, events of one post, at most", f"{deletes}, {events}"
    calls = counted_calls(evidence)
    told = f"{calls.total()}, {most(calls.values())}"
    yield "counted calls, in all and in one organization at most", told
    yield "refused calls with one key, at most", most(refused_calls(evidence.requests).values())
    longest = max(silences(evidence, diary), default=0.0)
    yield "longest time in which nothing happened to any post", f"{longest:.1f} s"


def most(numbers: Iterable[int] | Sequence[int]) -> int:
    return max(numbers, default=0)
