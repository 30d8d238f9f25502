"""The hourly budget of POST /posts: how a call is counted, refused, and blocked."""

from dataclasses import dataclass, replace
from math import ceil


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one organization has used; times are epoch seconds."""

    hits: int = 0
    window_ends: float = 0.0
    block_ends: float = 0.0
    counted: int = 0
    refused: int = 0
    trips: int = 0

    def remaining(self, *, now: float, limit: int) -> int:
        if now < self.block_ends:
            return 0
        return limit if now >= self.window_ends else max(0, limit - self.hits)


@dataclass(frozen=True, kw_only=True)
class Allowed:
    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


@dataclass(frozen=True, kw_only=True)
class Blocked:
    retry_after: int


def count(
    budget: Budget, *, now: float, limit: int, window: float
) -> tuple[Budget, Allowed | Blocked]:
    """Count one call. A trip blocks for a whole window; blocked calls fill the next one."""
    budget = _hit(budget, now=now, window=window)
    if now < budget.block_ends:
        return _refuse(budget, budget.block_ends - now)
    if budget.hits > limit:
        tripped = replace(budget, block_ends=now + window, trips=budget.trips + 1)
        return _refuse(tripped, window)
    verdict = Allowed(
        limit=limit, remaining=limit - budget.hits, reset=ceil(budget.window_ends - now)
    )
    return replace(budget, counted=budget.counted + 1), verdict


def _hit(budget: Budget, *, now: float, window: float) -> Budget:
    if now >= budget.window_ends:
        return replace(budget, hits=1, window_ends=now + window)
    return replace(budget, hits=budget.hits + 1)


def _refuse(budget: Budget, left: float) -> tuple[Budget, Blocked]:
    return replace(budget, refused=budget.refused + 1), Blocked(retry_after=ceil(left))
