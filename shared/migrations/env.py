"""How Alembic runs our migrations: one transaction, one at a time."""

from alembic import context
from sqlalchemy import create_engine, text

from shared.db import connect_args
from shared.migrate import MIGRATION_LOCK
from shared.models import Base

#: While a migration waits for a table, everybody else waits for the migration.
_WAIT_FOR_TABLE = text("SET LOCAL lock_timeout = '30s'")


def run() -> None:
    as_long_as_it_takes = connect_args(statement_ms=0, lock_ms=0)
    engine = create_engine(context.config.attributes["url"], connect_args=as_long_as_it_takes)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
        with context.begin_transaction():
            connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            connection.execute(_WAIT_FOR_TABLE)
            context.run_migrations()
    engine.dispose()


run()
