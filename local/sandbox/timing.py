"""How long each of Postiz's small steps takes: the delays that decide every race."""

import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

Span = float | tuple[float, float]
"""Seconds, or the shortest and the longest of them."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds, unless the name says otherwise; the defaults are those of a real server at ease."""

    element_delay: float = 0.011  # POST /posts, for each element
    queue_to_start: Span = (0.1, 1.0)  # status change: from state QUEUE to the terminate-and-start
    send_delay: Span = (2.6, 6.0)  # from a due workflow's waking to its last read of the post
    network_delay: float = 0.05  # from that last read to the irrevocable send
    publish_delay: float = 0.4  # from the send to state PUBLISHED
    pending_checks: Span = 0  # so many looks until a network has processed a video
    pending_every: float = 20.0  # between two of them
    part_minute: float = 60.0  # a minute of the delay before a part of a thread
    notice_delay: Span = (0.1, 1.0)  # from state ERROR to the notification that says why
    retry_delay: float = 1.0  # between two attempts after an unknown error
    search_rate: float = 10.0  # workflow searches a second, for the whole server
    search_burst: float = 10.0  # searches that may come at once
    search_retry_first: float = 1.0  # a throttled search waits this long, then longer
    search_retry_factor: float = 1.7
    search_retry_longest: float = 10.0
    search_attempts: int = 9
    workers_stopped: bool = False  # the API answers, and no workflow goes on until this ends
    missing_sweep_every: float = 0.0  # the "missing post" sweep; 0 is off
    missing_sweep_reach: float = 2 * 86400.0  # how late a QUEUE post it still restarts


#: A server under load, as seen: 879 posts on two processors, HEAD of August 2026.
LOADED = Timing(
    queue_to_start=(0.1, 9.0),
    send_delay=(2.6, 45.0),
    pending_checks=(0, 9),
    notice_delay=(0.1, 3.0),
)
NAMED: Mapping[str, Timing] = {"usual": Timing(), "loaded": LOADED}


def drawn(span: Span, chance: random.Random) -> float:
    """A length of this span: short ones more often than long ones, as in a line of waiters."""
    if isinstance(span, int | float):
        return float(span)
    shortest, longest = span
    return chance.triangular(shortest, longest, shortest)


class Pace:
    """The timing in force, which may change while the server runs."""

    def __init__(self, timing: Timing, chance: random.Random) -> None:
        self.timing = timing
        self._chance = chance

    def draw(self, span: Span) -> float:
        return drawn(span, self._chance)


def from_json(text: str) -> Timing:
    """A Timing by its name, or from a JSON object of the fields that differ from the defaults."""
    return NAMED[text] if text in NAMED else changed(Timing(), json.loads(text))


def changed(timing: Timing, values: Mapping[str, Any]) -> Timing:
    """Raises ValueError in words for whoever wrote them."""
    known = [field.name for field in fields(Timing)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"unknown timing: {', '.join(unknown)}; known: {', '.join(known)}")
    spans = {name: tuple(span) for name, span in values.items() if isinstance(span, list)}
    return Timing(**{**asdict(timing), **values, **spans})
