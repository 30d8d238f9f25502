"""How fast the sandbox is under test: as a real Postiz at its best, or as fast as it can be."""

from typing import Any

from local.sandbox.timing import Timing


def steady_timing(**changes: Any) -> Timing:
    """Each step takes the same time at every run, and that is short."""
    return Timing(**{"queue_to_start": 0.05, "send_delay": 1.1, "notice_delay": 0.0, **changes})


QUICK = steady_timing(send_delay=0.1, queue_to_start=0.01, publish_delay=0.05, search_rate=1000)
