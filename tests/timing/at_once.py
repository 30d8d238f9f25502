"""Two that do the same at once, and both look before either acts."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def leaving_together(look: Callable[P, T]) -> Callable[P, T]:
    """`look`, from which two callers return together, unless one has to wait for the other."""
    both = threading.Barrier(2)

    @wraps(look)
    def look_together(*arguments: P.args, **more: P.kwargs) -> T:
        found = look(*arguments, **more)
        with suppress(threading.BrokenBarrierError):
            both.wait(timeout=2)
        return found

    return look_together


def do_at_once(*acts: Callable[[], T]) -> list[T]:
    """Each in a thread of its own; what they return, in their order."""
    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(lambda act: act(), acts))
