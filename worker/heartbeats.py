"""Heartbeats: with each task a process records that its queue is served, or that beat is alive.

Beat also sends a heartbeat task every 10 s. But a pool with many or long tasks runs it late or
never, although it is alive.
"""

import time

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from shared.models import Pulse
from worker.runtime import Runtime

#: The shortest time between two equal heartbeats of a process (seconds).
INTERVAL = 8.0
BEAT = "beat"


def record_heartbeat(runtime: Runtime, name: str) -> None:
    """Record that `name` is alive, unless this process has just done so.

    All processes update the same row, so its lock must end with the statement.
    """
    now = time.monotonic()
    if now - runtime.last_heartbeats.get(name, float("-inf")) < INTERVAL:
        return
    seen = {"seen_at": func.now()}
    row = insert(Pulse).values(name=name, **seen)
    with runtime.database.statements() as connection:
        connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=seen))
    runtime.last_heartbeats[name] = now


def record_queue_heartbeat(runtime: Runtime, queue: str) -> None:
    """Record that a worker serves `queue`."""
    record_heartbeat(runtime, f"worker:{queue}")
