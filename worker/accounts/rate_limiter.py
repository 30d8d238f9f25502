"""The pace of writes to a Postiz server, kept in the database and shared by all processes."""

import time
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from shared import db
from shared.db import Database
from shared.models import Server

#: The longest wait for a slot (seconds); a later one is left to another run.
MAX_WAIT_SECONDS = 1.0
#: Unused time may be caught up to this extent: three writes in a row at 5 per second, which stays
#: below the 10 searches per second that a server can take (docs/POSTIZ.md, "How much Postiz can
#: take").
CREDIT = timedelta(seconds=0.5)


def take_slot(
    database: Database, server: str, *, per_second: float, ahead: float = MAX_WAIT_SECONDS
) -> datetime | None:
    """The time at which one write may be made; None if it is more than `ahead` seconds away.

    The slot is committed at once, independent of the caller's transaction: all writes to a server
    use the same row, which must not stay locked.
    """
    step = timedelta(seconds=1 / per_second)
    now = func.clock_timestamp()
    taken = (
        insert(Server)
        .values(server=server, next_write_at=now + step)
        .on_conflict_do_update(
            index_elements=["server"],
            set_={"next_write_at": func.greatest(Server.next_write_at, now - CREDIT) + step},
            where=Server.next_write_at <= now + timedelta(seconds=ahead),
        )
        .returning(Server.next_write_at - step)
    )
    with database.statements() as connection:
        return connection.scalar(taken)


def wait_for(session_now: datetime, slot: datetime) -> None:
    """Sleep until the slot; `session_now`: the current time of the database's clock."""
    time.sleep(max(0.0, min(MAX_WAIT_SECONDS + 1, (slot - session_now).total_seconds())))


clock = db.read_clock
