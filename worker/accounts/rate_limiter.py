"""The pace of writes to a Postiz server, kept in the database and shared by all processes."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, text
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


def take_slots(
    database: Database, wanted: Mapping[str, int], *, per_second: float
) -> dict[str, list[float]]:
    """By server: in how many seconds each of so many writes may be made (0 or less: now).

    A server that allows no write now, or whose row another process is changing, is left out. Slots
    are committed at once, as those of `take_slot`.
    """
    if not wanted:
        return {}
    step = 1 / per_second
    with database.statements() as connection:
        rows = connection.execute(
            _TAKE_SLOTS,
            {
                "servers": list(wanted),
                "numbers": list(wanted.values()),
                "step": timedelta(seconds=step),
                "credit": CREDIT,
            },
        )
        first = {row.server: float(row.first_in) for row in rows}
    return {
        server: [first[server] + step * number for number in range(count)]
        for server, count in wanted.items()
        if server in first
    }


def allowed_writes(next_in: float, *, per_second: float, ahead: float) -> int:
    """How many writes a server allows within `ahead` seconds; `next_in`: seconds to the next."""
    unused = ahead - max(next_in, -CREDIT.total_seconds())
    return int(unused * per_second) + 1 if unused >= 0 else 0


def wait_for(session_now: datetime, slot: datetime) -> None:
    """Sleep until the slot; `session_now`: the current time of the database's clock."""
    time.sleep(max(0.0, min(MAX_WAIT_SECONDS + 1, (slot - session_now).total_seconds())))


#: Servers that are written to for the first time get a row. Rows are locked in one order, and none
#: is waited for.
_TAKE_SLOTS = text("""
WITH wanted AS (
    SELECT * FROM unnest(CAST(:servers AS text[]), CAST(:numbers AS int[])) AS w (server, number)
), added AS (
    INSERT INTO servers (server, next_write_at)
    SELECT server, clock_timestamp() + number * :step FROM wanted
    WHERE NOT EXISTS (SELECT FROM servers WHERE servers.server = wanted.server)
    ON CONFLICT DO NOTHING
    RETURNING server, CAST(0 AS float) AS first_in
), locked AS (
    SELECT servers.server, wanted.number FROM servers JOIN wanted USING (server)
    WHERE next_write_at <= clock_timestamp()
    ORDER BY servers.server
    FOR UPDATE OF servers SKIP LOCKED
), taken AS (
    UPDATE servers
    SET next_write_at = greatest(next_write_at, clock_timestamp() - :credit) + number * :step
    FROM locked WHERE locked.server = servers.server
    RETURNING servers.server,
              extract(epoch FROM next_write_at - number * :step - clock_timestamp()) AS first_in
)
SELECT server, first_in FROM added UNION ALL SELECT server, first_in FROM taken
""")

clock = db.read_clock
