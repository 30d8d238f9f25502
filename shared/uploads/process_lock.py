"""A lock in the database that a process has as long as it lives, so that others see that it does.

When the process is killed, its connection ends, and PostgreSQL gives the lock back at once. Nothing
is wrong where the connection ends earlier: see `incoming_uploads` for what then keeps claims apart.
"""

import secrets
import threading

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session


class ProcessLock:
    """Thread-safe. It has a connection of its own from the first use on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._number = secrets.randbits(62)
        self._connection: Connection | None = None
        self._turn = threading.Lock()

    def hold(self) -> int:
        """The number of the lock, which is held. Raises `OperationalError` without a database."""
        with self._turn:
            if self._connection is not None:
                try:
                    self._connection.execute(select(1))
                    return self._number
                except DBAPIError:  # it was lost, and the lock with it
                    self._drop()
            self._connection = self._connect()
            return self._number

    def _connect(self) -> Connection:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            connection.execute(select(func.pg_advisory_lock(self._number)))
        except DBAPIError:
            connection.invalidate()
            connection.close()
            raise
        return connection

    def close(self) -> None:
        with self._turn:
            self._drop()

    def _drop(self) -> None:
        """The connection goes with its lock: back in the pool it would have it still."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


def is_alive(session: Session, number: int) -> bool:
    """Whether a process holds the lock with this number."""
    return not session.scalar(select(func.pg_try_advisory_xact_lock_shared(number)))
