"""How the time of a function grows with its input: no more than the input does.

What is compared is the thread's own time on the processor, which other work on the machine does not
lengthen; garbage is not collected meanwhile.
"""

import gc
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
#: Below this, a difference says nothing (seconds).
FLOOR = 0.002
#: What takes this long is not measured again: no disturbance lasts so long (seconds).
LONG = 1.0
#: Between 4, of linear growth over four times the input, and 16, of quadratic.
MOST = 9.0


def assert_linear(run: Callable[[T], object], make: Callable[[int], T], *, most: int) -> None:
    """Fail unless four times the input takes about four times as long, from 250 to `most`.

    It begins with little, so that it also ends soon where the growth is steep.
    """
    size, before = 250, _cost(run, make(250))
    while size < most:
        size *= 4
        value, bound = make(size), MOST * (before + FLOOR)
        now = _cost(run, value, runs=1)
        if bound < now < LONG:
            now = _cost(run, value)
        assert now <= bound, f"{size}: {now:.3f} s after {before:.3f} s"
        before = now


def _cost(run: Callable[[T], object], value: T, *, runs: int = 3) -> float:
    """Seconds, the least of a few runs."""
    times = []
    gc.disable()
    try:
        for _ in range(runs):
            began = time.thread_time()
            run(value)
            times.append(time.thread_time() - began)
    finally:
        gc.enable()
    return min(times)
