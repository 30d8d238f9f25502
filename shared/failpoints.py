"""Fail points: where a test wants a process to die between two writes; without it, nothing."""

import os
import random
import signal
from functools import cache

WANTED = "PRESSROOM_FAILPOINTS"
SEED = "PRESSROOM_FAILPOINTS_SEED"


def hit(name: str) -> None:
    """Kill this process here, with the chance that `PRESSROOM_FAILPOINTS` gives this point.

    It reads `stage.before_call=0.5,release.*=0.1,*=0.01`; the first that fits counts.
    """
    wanted = os.environ.get(WANTED)
    if not wanted or _process_random(os.getpid()).random() >= kill_chance(wanted, name):
        return
    os.write(2, f"failpoint {name}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


@cache
def kill_chance(wanted: str, name: str) -> float:
    """Of a point, as the environment variable says; 0 for one that it does not name."""
    for pair in wanted.split(","):
        pattern, _, probability = pair.strip().partition("=")
        fits = name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))
        if fits:
            return float(probability)
    return 0.0


@cache
def _process_random(pid: int) -> random.Random:
    """A process's own, made after its fork: the same seed and number die at the same point."""
    return random.Random(f"{os.environ.get(SEED, '')}-{pid}")  # noqa: S311 (chance, not secrecy)
