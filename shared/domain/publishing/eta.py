"""When a backlog will be handed over, from its size, the budget and the due times; pure.

The number of calls is a lower bound: all calls are assumed to be full. Other jobs on the same
account count if they are due before, because the earliest due goes first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from shared.domain.publishing.batching import MAX_BYTES, MAX_ELEMENTS
from shared.domain.publishing.budget import WINDOW, BudgetState, free_at, roll_window
from shared.domain.publishing.handoff import ASSUMED_BUDGET


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one job still has to hand over through one account.

    `staged` and `staged_bytes`: parts of posts that are not in Postiz yet and share calls. `dates`:
    calendar times, each of which needs a call. `writes`: status changes that are still to be made.
    `first_due` to `last_due`: when its posts are due. `ready_at`: the earliest end, however fast we
    are.
    """

    staged: int
    staged_bytes: int
    dates: int
    writes: int
    first_due: datetime
    last_due: datetime
    ready_at: datetime

    @property
    def calls(self) -> int:
        packs = max(self.staged / MAX_ELEMENTS, self.staged_bytes / MAX_BYTES)
        return self.dates + ceil(packs)


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How fast an account takes posts. `pace`: writes per second."""

    now: datetime
    budget: BudgetState
    settle: timedelta
    pace: float


def done_at(load: Load, others: Iterable[Load], flow: Flow) -> datetime:
    """When all of `load` is published or in Postiz's calendar; `others`: on the same account."""
    shares = [(other, _share_ahead(other, load.last_due)) for other in others]
    calls = load.calls + sum(other.calls * share for other, share in shares)
    writes = load.writes + sum(other.writes * share for other, share in shares)
    sent = after_calls(ceil(calls), flow)
    settled = sent + flow.settle if load.calls else flow.now
    released = flow.now + timedelta(seconds=writes / flow.pace)
    return max(settled, released, load.ready_at)


def drained_at(loads: Iterable[Load], flow: Flow) -> datetime | None:
    """When all of them are done; None if there are none."""
    all_loads = list(loads)
    ends = [
        done_at(load, [other for other in all_loads if other is not load], flow)
        for load in all_loads
    ]
    return max(ends, default=None)


def _share_ahead(other: Load, until: datetime) -> float:
    """Which part of `other` is due by `until`, as if its times were spread evenly."""
    if other.last_due <= until:
        return 1.0
    if other.first_due > until:
        return 0.0
    return (until - other.first_due) / (other.last_due - other.first_due)


def after_calls(calls: int, flow: Flow) -> datetime:
    """When the last of this many counted calls can be made."""
    if calls <= 0:
        return flow.now
    state = roll_window(flow.budget, flow.now, unsettled=0)
    most = ASSUMED_BUDGET if state.most is None else state.most
    in_a_window = max(1, most - state.kept)
    start = free_at(state, flow.now, due_at=flow.now)
    left = in_a_window if start > flow.now else max(1, in_a_window - state.used)
    if calls <= left:
        return start
    ends = state.window_ends_at
    next_window = ends if ends is not None and ends > start else start + WINDOW
    return next_window + WINDOW * ((calls - left - 1) // in_a_window)
