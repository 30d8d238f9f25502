"""Access to PostgreSQL: an engine that is made after the fork, and transactions."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg2
from sqlalchemy import Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DisconnectionError,
    InterfaceError,
    InvalidRequestError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.selectable import ForUpdateArg

from shared.config import Settings
from shared.errors import NotFound
from shared.log import lines_held

#: Locks a row against other writers, but not against rows that refer to it (`FOR NO KEY UPDATE`). A
#: plain `FOR UPDATE` of a profile would wait for every insert of its posts, and these for it.
ROW_LOCK = ForUpdateArg(key_share=True)
#: A statement that takes longer is no longer of use to anybody.
STATEMENT_TIMEOUT_MS = 30_000
#: After this wait for a row lock, its holder has probably stopped: fail, and try again later.
LOCK_TIMEOUT_MS = 10_000
#: An open transaction that is idle this long belongs to a process that is gone or stopped.
#: PostgreSQL ends it, and releases its locks.
IDLE_IN_TRANSACTION_MS = 30_000
#: Probes of a host that may be gone: seconds to the first, seconds between, and how many.
PROBES = (10, 5, 3)
#: A connection that was used this recently is assumed to be alive.
IDLE_SECONDS = 1.0
#: SQLSTATEs of a server that is shutting down, starting, or unreachable.
_NO_SERVER = ("08", "57P")


def connect_args(
    *, statement_ms: int = STATEMENT_TIMEOUT_MS, lock_ms: int = LOCK_TIMEOUT_MS
) -> dict[str, Any]:
    """Options of all our connections: if one side disappears, the other side notices and lets go.

    0 means no limit for a statement, or for a wait for a lock.
    """
    idle, interval, count = PROBES
    gone_ms = (idle + interval * count) * 1000
    wanted = {
        "timezone": "utc",
        "statement_timeout": statement_ms,
        "lock_timeout": lock_ms,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_MS,
        "tcp_keepalives_idle": idle,
        "tcp_keepalives_interval": interval,
        "tcp_keepalives_count": count,
        "tcp_user_timeout": gone_ms,
    }
    return {
        "connect_timeout": 3,
        "application_name": "pressroom",
        "options": " ".join(f"-c {name}={value}" for name, value in wanted.items()),
        "keepalives_idle": idle,
        "keepalives_interval": interval,
        "keepalives_count": count,
        "tcp_user_timeout": gone_ms,
    }


def lock_again(session: Session, row: object) -> None:
    """Read the row anew, locked against other writers.

    Raises `NotFound` if it was deleted since it was read.
    """
    try:
        session.refresh(row, with_for_update=ROW_LOCK)
    except InvalidRequestError as error:
        raise NotFound("It was deleted meanwhile") from error


def read_clock(session: Session) -> datetime:
    """The database's clock, which all processes share; for all that is compared with a column."""
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now


def read_certain_moment(session: Session) -> datetime:
    """Whatever was written before it (by `clock_timestamp`) is committed, or never will be.

    Read it before the rows: what they do not show is of a later time. While a transaction that
    writes is under way, it is no later than the beginning of that.
    """
    moment: datetime = session.scalars(text(_CERTAIN_MOMENT)).one()
    return moment


def by_its_clock(session: Session, moment: datetime) -> datetime:
    """A moment of this process's clock, for example of a reply, by the database's clock."""
    return read_clock(session) + (moment - datetime.now(UTC))


def is_away(error: Exception) -> bool:
    """Whether PostgreSQL could not be reached; False if it only refused or ended a statement."""
    if isinstance(error, InterfaceError | PoolTimeout):
        return True
    code = getattr(getattr(error, "orig", None), "pgcode", None)
    return isinstance(error, OperationalError) and (code is None or code.startswith(_NO_SERVER))


def sqlalchemy_url(url: str) -> str:
    """The address that the user gave, with our driver (SQLAlchemy 2.1 would take psycopg 3)."""
    parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    return parsed.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


_CERTAIN_MOMENT = """
SELECT least(clock_timestamp(), min(xact_start)) FROM pg_stat_activity
WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()
"""
_THEN = "after_commit"
_WROTE = "wrote"
#: A statement that changes rows, also within a WITH; `FOR UPDATE` only locks them.
_WRITES = re.compile(r"(?<!FOR )(?<!FOR NO KEY )\b(?:INSERT INTO|UPDATE|DELETE FROM)\b")


def after_commit(session: Session, then: Callable[[], None]) -> None:
    """Call `then` after the transaction is committed; never, if it is not committed."""
    session.info.setdefault(_THEN, []).append(then)


class Database:
    """One per process. `transaction()` commits at its end, or rolls back if it raises.

    `reading()` cannot write. What is logged inside of either is written after it.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        #: Called in each transaction that wrote, before it is committed.
        self.on_write: Callable[[Session], None] | None = None

    @classmethod
    def connect(
        cls,
        settings: Settings,
        *,
        pool_size: int = 4,
        overflow: int | None = None,
        statement_ms: int = STATEMENT_TIMEOUT_MS,
    ) -> "Database":
        """`overflow`: connections besides, while they are needed; `pool_size` if None."""
        engine = create_engine(
            sqlalchemy_url(settings.database_url.get_secret_value()),
            hide_parameters=True,  # error texts must not contain the values
            pool_size=pool_size,
            max_overflow=pool_size if overflow is None else overflow,
            pool_timeout=5,
            connect_args=connect_args(statement_ms=statement_ms),
        )
        event.listen(engine, "begin", _forget_writes)
        event.listen(engine, "after_cursor_execute", _note_write)
        event.listen(engine, "checkin", _note_use)
        event.listen(engine, "checkout", _ping_if_idle)
        return cls(engine)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with (
            lines_held(),
            Session(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session
            self._tell_of_writes(session)
        for then in session.info.pop(_THEN, ()):
            then()

    def _tell_of_writes(self, session: Session) -> None:
        if self.on_write is None or not session.in_transaction():  # it was rolled back
            return
        session.flush()
        if session.connection().info.get(_WROTE):
            self.on_write(session)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction in which PostgreSQL refuses to write."""
        reader = self.engine.execution_options(postgresql_readonly=True)
        with (
            lines_held(),
            Session(reader, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def statements(self) -> Iterator[Connection]:
        """Each statement is a transaction of its own: for rows that all processes write.

        In a longer transaction, a row stays locked while its process is stopped or its host is
        lost.
        """
        with self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        self.engine.dispose()


def _forget_writes(connection: Connection) -> None:
    connection.info[_WROTE] = False


def _note_write(connection: Connection, cursor: Any, statement: str, *_: object) -> None:
    """Locks are no writes, and neither is a statement that met no row."""
    if cursor.rowcount != 0 and _WRITES.search(statement):
        connection.info[_WROTE] = True


def _note_use(_: object, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _ping_if_idle(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
    """Check a connection that was idle; if it is broken, the pool replaces it.

    SQLAlchemy's own `pool_pre_ping` checks each time: six round trips for one release.
    """
    if time.monotonic() - record.info.get("used_at", time.monotonic()) < IDLE_SECONDS:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except psycopg2.Error as error:
        raise DisconnectionError("the connection was lost while it was idle") from error
