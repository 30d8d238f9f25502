"""Fail points: places where a test may kill a process between two writes; inactive otherwise."""

import os
import random
import signal
from functools import cache

WANTED = "PRESSROOM_FAILPOINTS"
SEED = "PRESSROOM_FAILPOINTS_SEED"


def hit(name: str) -> None:
    """Kill this process here, with the probability that `PRESSROOM_FAILPOINTS` sets for `name`.

    Its form is `stage.before_call=0.5,release.*=0.1,*=0.01`; the first match counts.
    """
    wanted = os.environ.get(WANTED)
    if not wanted or _process_random(os.getpid()).random() >= kill_chance(wanted, name):
        return
    os.write(2, f"failpoint {name}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


@cache
def kill_chance(wanted: str, name: str) -> float:
    """The probability for a fail point, from the variable's value; 0 if nothing matches it."""
    for pair in wanted.split(","):
        pattern, _, probability = pair.strip().partition("=")
        fits = name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))
        if fits:
            return float(probability)
    return 0.0


@cache
def _process_random(pid: int) -> random.Random:
    """One per process, made after the fork: the same seed and pid die at the same point."""
    return random.Random(f"{os.environ.get(SEED, '')}-{pid}")  # noqa: S311 (chance, not secrecy)
