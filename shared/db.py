"""The way to PostgreSQL: an engine made after the fork, and transactions."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import ForUpdateArg

from shared.config import Settings

#: Locks a row against other writers, but not against rows that refer to it (`FOR NO KEY UPDATE`):
#: a plain `FOR UPDATE` of a profile would wait for every insert of its posts, and they for it.
ROW_LOCK = ForUpdateArg(key_share=True)
#: Of our processes with tables: a statement that takes longer has met a lock that nobody gives up.
STATEMENT_TIMEOUT_MS = 30_000


def sqlalchemy_url(url: str) -> str:
    """What users paste, with our driver named (SQLAlchemy 2.1 takes psycopg 3 otherwise)."""
    parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    return parsed.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


class Database:
    """One per process. `transaction()` commits at its end, or rolls back when it raises."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def connect(cls, settings: Settings, *, pool_size: int = 4) -> "Database":
        return cls(
            create_engine(
                sqlalchemy_url(settings.database_url.get_secret_value()),
                hide_parameters=True,  # an error's text must not carry what was written
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_pre_ping=True,
                pool_timeout=5,
                connect_args={
                    "connect_timeout": 3,
                    "options": f"-c timezone=utc -c statement_timeout={STATEMENT_TIMEOUT_MS}",
                    "application_name": "pressroom",
                    "keepalives_idle": 10,
                },
            )
        )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        self.engine.dispose()
