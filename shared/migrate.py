"""Upgrades the tables to the newest migration and installs the admin key."""

import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from shared.access import api_keys
from shared.config import Settings, read_settings
from shared.db import Database, connect_args, sqlalchemy_url
from shared.jobs import event_feed
from shared.log import configure_logging, get_logger

WAIT_SECONDS = 120
#: Only one migration may run at a time; others wait for this lock. The number is arbitrary.
MIGRATION_LOCK = 7_267_537


def alembic_config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = sqlalchemy_url(database_url)
    return config


def wait_for_database(database_url: str, *, seconds: float = WAIT_SECONDS) -> None:
    """Return once PostgreSQL answers; raise its last error if it does not within `seconds`."""
    engine = create_engine(sqlalchemy_url(database_url), connect_args=connect_args())
    deadline = time.monotonic() + seconds
    while True:
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            break
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    engine.dispose()


def migrate_database(settings: Settings) -> None:
    url = settings.database_url.get_secret_value()
    wait_for_database(url)
    command.upgrade(alembic_config(url), "head")
    database = Database.connect(settings, pool_size=1, statement_ms=0)
    with database.transaction() as session:
        event_feed.mark_restored_events(session)
        if settings.admin_key:
            api_keys.install_admin_key(session, settings.admin_key.get_secret_value())
    database.close()


def main() -> None:
    settings = read_settings()
    configure_logging(settings.log_format)
    migrate_database(settings)
    get_logger("migrate").info("tables are at the newest migration")


if __name__ == "__main__":
    main()
