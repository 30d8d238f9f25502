"""Rate limits: which of many posts are more than a channel takes in a period."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

#: Instead of a row's number: a post that was accepted before, and counts already.
NO_ROW = -1
Dated = Sequence[tuple[datetime, int]]


def find_excess_rows(dated: Dated, most: int, window: timedelta) -> Iterator[int]:
    """The rows that exceed `most` posts in a `window`. `dated`: moments and their rows, in order.

    A row exceeds the limit if some window that contains the row has more than `most` posts. The
    posts accepted before count, and the rows up to this one.
    """
    before = [moment for moment, row in dated if row == NO_ROW]
    # for each start of a window: the posts accepted before in it, minus the rows before the start
    starts: deque[tuple[datetime, int]] = deque()
    rows = 0
    for moment, row in dated:
        accepted = bisect_left(before, moment + window) - bisect_left(before, moment)
        while starts and starts[-1][1] <= accepted - rows:
            starts.pop()  # a window that begins there can no longer be the fullest
        starts.append((moment, accepted - rows))
        while moment - starts[0][0] >= window:
            starts.popleft()
        if row != NO_ROW:
            rows += 1
            if starts[0][1] + rows > most:
                yield row
