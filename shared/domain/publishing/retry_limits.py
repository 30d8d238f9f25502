"""How often a step is tried that keeps coming to nothing, and after which pause: pure, by a count.

An outage is no matter of these: it rests the account, and costs no try.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Tries:
    """`most` tries, the pauses between them twice as long each time, up to the `longest`."""

    most: int
    first: timedelta
    longest: timedelta

    def pause(self, tries: int) -> timedelta | None:
        """Before the next try, after so many that came to nothing; None: there is none."""
        if tries >= self.most:
            return None
        return min(self.longest, self.first * int(2 ** min(max(0, tries - 1), 30)))


#: Deletes that a post waits for: a quarter of an hour and more, in all.
DELETES = Tries(most=12, first=timedelta(seconds=2), longest=timedelta(minutes=5))
#: Deletes of what is only in a person's way: about a day.
LITTER = Tries(most=32, first=timedelta(seconds=5), longest=timedelta(hours=1))
#: Moves to 2099 that Postiz refuses for this very draft: each is a counted call.
REFUSED_MOVES = Tries(most=3, first=timedelta(seconds=30), longest=timedelta(minutes=5))
#: Moves to 2099 of which nobody knows what came: moving again is harmless, but counted.
UNCLEAR_MOVES = Tries(most=10, first=timedelta(seconds=4), longest=timedelta(minutes=5))
#: Of one post, steps that fail for a reason that nobody foresaw: about a quarter of an hour.
UNFORESEEN = Tries(most=10, first=timedelta(seconds=2), longest=timedelta(minutes=5))
