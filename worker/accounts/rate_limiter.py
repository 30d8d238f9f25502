"""The pace of writes to one Postiz server, kept in the database for all processes together."""

import time
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from shared import db
from shared.db import Database
from shared.models import Server

#: A slot further ahead is left to a later turn (seconds).
AHEAD = 1.0
#: A pace that was not kept may be caught up by so much: three writes in a row at 5 a second, and so
#: fewer than the 10 searches in any second that a server can take (docs/POSTIZ.md, "How much Postiz
#: can take").
CREDIT = timedelta(seconds=0.5)


def take_slot(
    database: Database, server: str, *, per_second: float, ahead: float = AHEAD
) -> datetime | None:
    """The moment at which one write may be made; None if it lies more than `ahead` seconds off.

    It is taken at once, whatever becomes of the transaction that wants it: all writes to a server
    go by its one row, which may be locked for no longer than this takes.
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
    """Sleep until the slot; `session_now` is the database's clock, which gave it."""
    time.sleep(max(0.0, min(AHEAD + 1, (slot - session_now).total_seconds())))


clock = db.read_clock
