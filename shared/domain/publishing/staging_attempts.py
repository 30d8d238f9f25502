"""Attempts: when calls that came to nothing are held against the posts that they carried; pure.

A deploy, a crash or a lost reply is nobody's fault. But a post may kill each worker that handles
it, or make Postiz hang. So such calls are counted on each post; after some in a row the pack is
halved each time, until the post goes alone, and only alone it is given up.
"""

from dataclasses import dataclass

from shared.domain.publishing.batching import MAX_ELEMENTS


@dataclass(frozen=True, kw_only=True)
class Patience:
    """So many calls in a row `by_chance`, and at `most` so many of a post that goes alone."""

    by_chance: int
    most: int

    def is_over(self, calls: int, pack: int) -> bool:
        """After so many calls in a row, the last one with `pack` posts."""
        return pack == 1 and calls >= self.most

    def limit(self, calls: int, pack: int) -> int | None:
        """At most so many posts go with it in its next call; None: as many as fit."""
        return max(1, pack // 2) if calls > self.by_chance else None


#: Calls of unknown end: at a lease each, the last of these is 20 minutes and more later.
UNCLEAR = Patience(by_chance=5, most=30)
#: Calls that could not be made for an error of our own.
DEFECTIVE = Patience(by_chance=0, most=10)
#: Calls for which no millisecond was free: where each post fares alike, none is singled out.
NO_MOMENT = Patience(by_chance=10, most=10)


def double_limit(pack_limit: int) -> int | None:
    """The limit of those that wait, once a halved call has gone well: an outage may have cut them
    down to one by one, and they are innocent."""
    return pack_limit * 2 if pack_limit * 2 < MAX_ELEMENTS else None
