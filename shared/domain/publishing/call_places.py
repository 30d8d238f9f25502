"""How many calls to each server may be under way, so that one that hangs delays no other."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CallPlaces:
    """The most calls of a process at a time: `total` of them, `quick` to a server that answers
    quickly, `unsure` to one that is new, slow or failing, and `all_unsure` to all of these.
    """

    total: int
    quick: int
    unsure: int
    all_unsure: int


def free_places(
    places: CallPlaces, server: str, under_way: Mapping[str, int], *, quick: frozenset[str]
) -> int:
    """How many more calls to `server` may start; `under_way`: the calls to each server.

    Servers that are not `quick` never take more than `all_unsure`: the rest is left to the others.
    """
    free = places.total - sum(under_way.values())
    own = under_way.get(server, 0)
    if server in quick:
        return max(0, min(free, places.quick - own))
    unsure = sum(calls for name, calls in under_way.items() if name not in quick)
    return max(0, min(free, places.unsure - own, places.all_unsure - unsure))
