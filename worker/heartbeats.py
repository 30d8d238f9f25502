"""Pulses: each process notes by whatever it does that its queue is served, or that the clock ticks.

Beat asks for a pulse every 10 s; but a pool that has a long line of work, or long work, gets to it
late or never, and is alive all the same.
"""

import time

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from shared.models import Pulse
from worker.runtime import Runtime

#: A process notes the same at most so often (seconds).
EVERY = 8.0
BEAT = "beat"


def record_heartbeat(runtime: Runtime, name: str) -> None:
    """Note `name` as seen, unless this process has just done so.

    The row is shared by all: its lock must not outlive the statement, whatever becomes of us.
    """
    now = time.monotonic()
    if now - runtime.noted.get(name, float("-inf")) < EVERY:
        return
    seen = {"seen_at": func.now()}
    row = insert(Pulse).values(name=name, **seen)
    with runtime.database.statements() as connection:
        connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=seen))
    runtime.noted[name] = now


def record_queue_heartbeat(runtime: Runtime, queue: str) -> None:
    """Note that somebody works on what comes through `queue`."""
    record_heartbeat(runtime, f"worker:{queue}")
