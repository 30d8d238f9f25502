"""How often a failing step is tried again, and after which pause, by its number of tries; pure.

An outage does not count as a try: it makes the account rest.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Tries:
    """At most `most` tries; the pause between them doubles each time, up to `longest`."""

    most: int
    first: timedelta
    longest: timedelta

    def pause(self, tries: int) -> timedelta | None:
        """The pause before the next try, after so many failed tries; None: no more tries."""
        if tries >= self.most:
            return None
        return min(self.longest, self.first * int(2 ** min(max(0, tries - 1), 30)))


#: Deletes that a post waits for: a quarter of an hour or more in all.
DELETES = Tries(most=12, first=timedelta(seconds=2), longest=timedelta(minutes=5))
#: Deletes of drafts that are only in a person's way: about a day.
ORPHAN_DELETES = Tries(most=32, first=timedelta(seconds=5), longest=timedelta(hours=1))
#: Moves to 2099 that Postiz refuses for this very draft: each is a counted call.
REFUSED_MOVES = Tries(most=3, first=timedelta(seconds=30), longest=timedelta(minutes=5))
#: Moves to 2099 with an unknown outcome: to move again is harmless, but counted.
UNCLEAR_MOVES = Tries(most=10, first=timedelta(seconds=4), longest=timedelta(minutes=5))
#: Steps of one post that fail for an unexpected reason: about a quarter of an hour.
UNFORESEEN = Tries(most=10, first=timedelta(seconds=2), longest=timedelta(minutes=5))
#: Posts that are tried on a channel that has to be connected again, one each time: two weeks or so.
CHANNEL_TRIALS = Tries(most=20, first=timedelta(minutes=15), longest=timedelta(hours=24))
