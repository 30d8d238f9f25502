"""Reads a window of Postiz's calendar in parts, where it holds too much for one reply.

Replies are limited, and a calendar may rightly hold more than one reply may. Halves of the time
hold about half of it.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from shared.errors import Transient

Row = TypeVar("Row")
#: The `code` of a `Transient` for a reply that is too large.
TOO_LARGE = "reply_too_large"
#: The most reads for one window, and how long they may take together (seconds).
MAX_READS = 40
TOTAL_SECONDS = 30.0
_SHORTEST = timedelta(milliseconds=2)


def read_in_parts(
    read: Callable[[datetime, datetime], list[Row]], start: datetime, end: datetime
) -> list[Row]:
    """All rows from `start` to `end`; a row on the edge of two parts may come twice.

    `read` raises `Transient` with the code `TOO_LARGE` for what must be read in parts. Raises it
    too, for a window that is too large even so.
    """
    found: list[Row] = []
    waiting = [(start, end)]
    deadline = time.monotonic() + TOTAL_SECONDS
    reads = 0
    while waiting:
        first, last = waiting.pop()
        reads += 1
        try:
            found += read(first, last)
        except Transient as error:
            over = reads + len(waiting) >= MAX_READS or time.monotonic() > deadline
            if error.code != TOO_LARGE or over or last - first < _SHORTEST:
                raise
            middle = first + (last - first) / 2
            waiting += [(middle, last), (first, middle)]
    return found
