"""Rotates a key again and again while its profile publishes; the sandbox's ledger judges."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from local.sandbox.process import Admin

#: How long after the answer an old key may still be seen (docs/RELIABILITY.md, promise 3).
GRACE = 0.1
CHANNEL = {"id": "int-rotating", "name": "Rotating", "identifier": "mastodon"}


@dataclass(frozen=True)
class Saved:
    """A key, and when the PATCH that saved it had answered (seconds since the epoch)."""

    key: str
    at: float


def keys(count: int) -> list[str]:
    return [f"rotating-key-{number:04d}" for number in range(count)]


def open_org(sandbox: Admin, count: int) -> list[str]:
    """An organization that takes each of `count` keys, and never runs out of calls."""
    made = keys(count)
    sandbox.create_org("rotating", keys=made, integrations=[CHANNEL], limit=100_000)
    return made


def rotate(patch: Callable[[str], None], made: Sequence[str], *, pause: float) -> list[Saved]:
    """Save one key after the other; what is returned says since when each must be the only one."""
    saved = []
    for key in made:
        patch(key)
        saved.append(Saved(key, time.time()))
        time.sleep(pause)
    return saved


def stale_calls(sandbox: Admin, saved: Sequence[Saved], *, delay: float) -> list[dict[str, Any]]:
    """Calls that began more than the grace after their key had been replaced, and how late.

    `delay` is the machine's own (tests/timing/delays.py): a call is noted that much later
    than it began.
    """
    replaced = {old.key: new.at for old, new in itertools.pairwise(saved)}
    rows = sandbox.ledger(kind="request")
    late = [(row["time"] - replaced.get(row["key"], float("inf")), row) for row in rows]
    return [{"late": seconds, **row} for seconds, row in late if seconds > GRACE + delay]


def keys_used(sandbox: Admin) -> set[str]:
    """Keys with which something was written, and not only looked at."""
    writes = ("POST", "PUT", "DELETE")
    return {
        row["key"]
        for row in sandbox.ledger(kind="request")
        if row["method"] in writes and "pressroom-probe" not in row["path"]
    }
