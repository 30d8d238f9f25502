"""Vanish: a worker child that is stopped for ever inside a transaction, its row locks in its hands.

So does a lost host, or a paused machine: nobody ends the session but PostgreSQL itself.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared.config import read_settings
from shared.db import Database
from tests.chaos.diary import Diary

#: How long to look for a child in the middle of a transaction that has written (seconds).
PATIENCE = 30.0
#: A statement that was under way when its process was stopped has ended by then (seconds).
SETTLED = 0.3
_WRITING = text(
    "SELECT pid, client_port, backend_xid::text AS xid FROM pg_stat_activity"
    " WHERE application_name LIKE 'pressroom%' AND backend_xid IS NOT NULL"
    " AND state LIKE 'idle in transaction%'"
)


@dataclass(frozen=True, kw_only=True)
class _Backend:
    """A session of PostgreSQL's with a transaction that has written, or locked rows."""

    pid: int
    port: int
    xid: str


class Vanish:
    """`children`: says which processes there are to choose from."""

    def __init__(
        self, database_url: str, children: Callable[[], Sequence[int]], diary: Diary
    ) -> None:
        self._children = children
        self._diary = diary
        settings = read_settings({"DATABASE_URL": database_url})
        self._database = Database.connect(settings, pool_size=1)
        self._gone: list[psutil.Process] = []

    def vanish(self, rng: random.Random) -> None:
        """Stop a child that holds row locks, for good; not where none is found in such a moment."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            owners = self._ports()
            until = time.monotonic() + 1
            while time.monotonic() < until:
                for backend in self._writing(rng):
                    if backend.port in owners and self._stop(owners[backend.port], backend):
                        return

    def end(self) -> None:
        """With the run: nothing is left behind."""
        for process in self._gone:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._database.close()

    def still_there(self) -> int:
        """How many of them nobody has replaced."""
        return sum(_is_stopped(process) for process in self._gone)

    def _ports(self) -> dict[int, psutil.Process]:
        found = {}
        for pid in self._children():
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                for connection in process.net_connections("tcp"):
                    found[connection.laddr.port] = process
        return found

    def _writing(self, rng: random.Random) -> Iterator[_Backend]:
        with suppress(SQLAlchemyError):
            with self._database.transaction() as session:
                rows = session.execute(_WRITING).all()
            found = [_Backend(pid=row.pid, port=row.client_port, xid=row.xid) for row in rows]
            yield from rng.sample(found, len(found))

    def _stop(self, process: psutil.Process, backend: _Backend) -> bool:
        """Whether it was stopped in time; else it goes on."""
        with suppress(psutil.NoSuchProcess):
            process.suspend()
            time.sleep(SETTLED)
            if backend in list(self._writing(random.Random())):
                self._gone.append(process)
                self._diary.note("vanished")
                return True
            process.resume()
        return False


def _is_stopped(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False
