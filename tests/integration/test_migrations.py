"""The migrations and the models say the same, and may be run as often as one likes."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from local.postgres import Postgres
from shared.config import read_settings
from shared.db import Database, sqlalchemy_url
from shared.keys import find
from shared.migrate import alembic_config, migrate
from shared.models import Base


def test_the_migrations_make_what_the_models_say(database_url: str) -> None:
    engine = create_engine(sqlalchemy_url(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_the_way_down_and_up_again_leads_to_the_same_place(postgres: Postgres) -> None:
    postgres.create_database("up_and_down")
    url = postgres.url("up_and_down")
    settings = read_settings({"DATABASE_URL": url})
    migrate(settings)
    command.downgrade(alembic_config(url), "base")
    migrate(settings)
    test_the_migrations_make_what_the_models_say(url)
    postgres.drop_database("up_and_down")


def test_a_new_admin_key_replaces_the_installed_one(database_url: str) -> None:
    for key in ("pk_first", "pk_second", "pk_second"):
        migrate(read_settings({"DATABASE_URL": database_url, "PRESSROOM_ADMIN_KEY": key}))
    database = Database.connect(read_settings({"DATABASE_URL": database_url}))
    with database.transaction() as session:
        assert find(session, "pk_first") is None
        assert find(session, "pk_second") is not None
    database.close()
