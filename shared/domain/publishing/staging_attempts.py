"""When failed calls are counted against the posts that they carried; pure.

A deploy, a crash or a lost reply is not the post's fault. But a post may kill each worker that
handles it, or make Postiz hang. So failed calls are counted on each post. After some in a row the
pack is halved each time, until the post goes alone. Only a post that goes alone is given up.
"""

from dataclasses import dataclass

from shared.domain.publishing.batching import MAX_ELEMENTS


@dataclass(frozen=True, kw_only=True)
class Patience:
    """`by_chance`: failed calls in a row that may be chance; `most`: of a post that goes alone."""

    by_chance: int
    most: int

    def is_over(self, calls: int, pack: int) -> bool:
        """Whether the post is given up after so many calls in a row, the last with `pack` posts."""
        return pack == 1 and calls >= self.most

    def limit(self, calls: int, pack: int) -> int | None:
        """The most posts in its next call; None: as many as fit."""
        return max(1, pack // 2) if calls > self.by_chance else None


#: Calls with an unknown outcome: with one lease each, the last is at least 20 minutes later.
UNCLEAR = Patience(by_chance=5, most=30)
#: Calls that failed because of an error of our own.
DEFECTIVE = Patience(by_chance=0, most=10)
#: Calls for which no millisecond was free: all posts are affected alike, so no post is singled out.
NO_MOMENT = Patience(by_chance=10, most=10)


def double_limit(pack_limit: int) -> int | None:
    """The limit of the posts that wait, after a halved call has gone well; None: no limit.

    An outage may have reduced them to one post per call, and they are not its cause.
    """
    return pack_limit * 2 if pack_limit * 2 < MAX_ELEMENTS else None
