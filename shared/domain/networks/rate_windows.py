"""Rates of networks: which of many posts are more than a channel takes in a time."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

#: In place of the number of a row: a post that was accepted before, and has its place.
NO_ROW = -1
Dated = Sequence[tuple[datetime, int]]


def find_excess_rows(dated: Dated, most: int, window: timedelta) -> Iterator[int]:
    """The rows that come on top of `most` posts in a `window`, of moments and rows in order.

    A row is one too many if some window that holds it holds more than `most`, of what was accepted
    before and of the rows up to it.
    """
    before = [moment for moment, row in dated if row == NO_ROW]
    # for each begin of a window: what was accepted before in it, less the rows that came earlier
    starts: deque[tuple[datetime, int]] = deque()
    rows = 0
    for moment, row in dated:
        accepted = bisect_left(before, moment + window) - bisect_left(before, moment)
        while starts and starts[-1][1] <= accepted - rows:
            starts.pop()  # no window that begins there is the fullest any more
        starts.append((moment, accepted - rows))
        while moment - starts[0][0] >= window:
            starts.popleft()
        if row != NO_ROW:
            rows += 1
            if starts[0][1] + rows > most:
                yield row
