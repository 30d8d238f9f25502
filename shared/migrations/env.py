"""How Alembic runs our migrations: one transaction, one at a time."""

from alembic import context
from sqlalchemy import create_engine, text

from shared.migrate import MIGRATION_LOCK
from shared.models import Base


def run() -> None:
    engine = create_engine(context.config.attributes["url"])
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
        with context.begin_transaction():
            connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            context.run_migrations()
    engine.dispose()


run()
