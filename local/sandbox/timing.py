"""How long each of Postiz's small steps takes: the delays that decide every race."""

import json
from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds, unless the name says otherwise; the defaults are what a real server showed."""

    element_delay: float = 0.011  # POST /posts, for each element
    queue_to_start: float = 0.05  # status change: from state QUEUE to the terminate-and-start
    send_delay: float = 1.1  # from a due workflow's waking to its last read of the post
    network_delay: float = 0.05  # from that last read to the irrevocable send
    publish_delay: float = 0.4  # from the send to state PUBLISHED
    search_rate: float = 10.0  # workflow searches a second, for the whole server
    search_burst: float = 10.0  # searches that may come at once
    search_retry_first: float = 1.0  # a throttled search waits this long, then longer
    search_retry_factor: float = 1.7
    search_retry_longest: float = 10.0
    search_attempts: int = 9
    missing_sweep_every: float = 0.0  # the "missing post" sweep; 0 is off
    missing_sweep_reach: float = 2 * 86400.0  # how late a QUEUE post it still restarts


def from_json(text: str) -> Timing:
    """A Timing from a JSON object that names the fields which differ from the defaults."""
    values = json.loads(text)
    known = {field.name: field.type for field in fields(Timing)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"unknown timing: {', '.join(unknown)}; known: {', '.join(known)}")
    return Timing(**values)
