"""The migrations and the models say the same, and may be run as often as one likes."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from local.postgres import Postgres
from shared.access.api_keys import find_api_key
from shared.config import read_settings
from shared.db import Database, sqlalchemy_url
from shared.migrate import alembic_config, migrate_database
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
    migrate_database(settings)
    command.downgrade(alembic_config(url), "base")
    migrate_database(settings)
    test_the_migrations_make_what_the_models_say(url)
    postgres.drop_database("up_and_down")


TWO_NAMES = """
    INSERT INTO accounts (server, base_url, key_hash, budget_used, limit_override) VALUES
      ('https://a.example', 'https://a.example/api/public/v1', 'one', 3, NULL),
      ('https://a.example/api', 'https://a.example/api/public/v1', 'two', 4, 20),
      ('https://b.example/api', 'https://b.example/api/public/v1', 'three', 5, NULL);
    INSERT INTO integrations (account_id, id, server, name, identifier)
      SELECT id, 'shared', server, 'X', 'x' FROM accounts WHERE server LIKE '%a.example%'
      UNION ALL SELECT id, 'own', server, 'X', 'x' FROM accounts WHERE key_hash = 'two'
      UNION ALL SELECT id, 'shared', server, 'X', 'x' FROM accounts WHERE key_hash = 'three';
    INSERT INTO servers (server) VALUES ('https://a.example/api'), ('https://b.example/api');
    INSERT INTO profiles (id, name, account_id) SELECT key_hash, 'P', id FROM accounts;
    INSERT INTO jobs (kind, profile_id, state) VALUES ('publish', 'two', 'queued');
    INSERT INTO posts (job_id, position, profile_id, account_id, integration_id, content, handoff,
                       publish_at)
      SELECT jobs.id, 0, 'two', accounts.id, 'shared', 'hello', 'staged', now()
      FROM jobs, accounts WHERE key_hash = 'two';
"""


def test_accounts_known_under_two_names_of_their_server_come_together(postgres: Postgres) -> None:
    postgres.create_database("two_names")
    url = postgres.url("two_names")
    command.upgrade(alembic_config(url), "0016")
    engine = create_engine(sqlalchemy_url(url))
    with engine.begin() as connection:
        connection.execute(text(TWO_NAMES))
    command.upgrade(alembic_config(url), "head")
    with engine.connect() as connection:
        read = [
            [tuple(row) for row in connection.execute(text(query))]
            for query in (
                "SELECT profiles.id, accounts.key_hash, server, budget_used, limit_override "
                "FROM profiles JOIN accounts ON accounts.id = account_id ORDER BY 1",
                "SELECT key_hash, integrations.server, integrations.id FROM integrations "
                "JOIN accounts ON accounts.id = account_id ORDER BY 1, 3",
                "SELECT key_hash FROM posts JOIN accounts ON accounts.id = posts.account_id",
                "SELECT server FROM servers ORDER BY 1",
            )
        ]
    engine.dispose()
    postgres.drop_database("two_names")
    a, b = "https://a.example", "https://b.example"
    profiles, integrations, posts, servers = read
    assert sorted(profiles) == [
        ("one", "one", a, 7, 20),
        ("three", "three", b, 5, None),
        ("two", "one", a, 7, 20),
    ]
    assert integrations == [("one", a, "own"), ("one", a, "shared"), ("three", b, "shared")]
    assert posts == [("one",)]
    assert servers == [(a,), (b,)]


HIDDEN = """
    INSERT INTO accounts (server, key_hash) VALUES ('https://a.example', 'one');
    INSERT INTO profiles (id, name, account_id) SELECT 'acme', 'P', id FROM accounts;
    INSERT INTO jobs (kind, profile_id, state) VALUES ('publish', 'acme', 'queued');
    INSERT INTO posts (job_id, position, profile_id, account_id, integration_id, content, handoff,
                       publish_at, state, late_policy)
      SELECT jobs.id, position, 'acme', accounts.id, 'x', 'hello', 'staged', now(), rows.state,
             policy
      FROM jobs, accounts, (VALUES (0, 'pending', 'held'), (1, 'cancelled', 'held'),
        (2, 'pending', 'hold'), (3, 'pending', 'publish')) AS rows (position, state, policy);
"""


def test_what_was_held_by_its_policy_is_held_by_its_state(postgres: Postgres) -> None:
    postgres.create_database("hidden")
    url = postgres.url("hidden")
    command.upgrade(alembic_config(url), "0020")
    engine = create_engine(sqlalchemy_url(url))
    with engine.begin() as connection:
        connection.execute(text(HIDDEN))
    command.upgrade(alembic_config(url), "head")
    with engine.connect() as connection:
        query = text("SELECT state, late_policy FROM posts ORDER BY position")
        rows = [tuple(row) for row in connection.execute(query)]
    engine.dispose()
    postgres.drop_database("hidden")
    assert rows == [
        ("held", "hold"),
        ("cancelled", "hold"),
        ("pending", "hold"),
        ("pending", "publish"),
    ]


WITHOUT_A_GRANT = """
    INSERT INTO profiles (id, name, tts_settings) VALUES
      ('plain', 'P', '{"voice": 1}'), ('cleared', 'P', '{"postiz": null}'),
      ('own', 'P', '{"postiz": {"api_url": "https://a.example", "api_key": "sealed"}}');
    INSERT INTO api_keys (name, key_hash, profile_ids, scopes) VALUES
      ('all', 'a', NULL, '{read}'), ('one', 'b', '{own}', '{read}'), ('none', 'c', '{}', '{read}');
    INSERT INTO webhooks (url, events, profile_ids, secret) VALUES
      ('https://a.example', '{}', '{}', 's'), ('https://b.example', '{}', NULL, 's');
"""


def test_who_used_the_environment_may_go_on_and_what_was_bound_to_nothing_goes(
    postgres: Postgres,
) -> None:
    postgres.create_database("without_a_grant")
    url = postgres.url("without_a_grant")
    command.upgrade(alembic_config(url), "0025")
    engine = create_engine(sqlalchemy_url(url))
    with engine.begin() as connection:
        connection.execute(text(WITHOUT_A_GRANT))
    command.upgrade(alembic_config(url), "head")
    with engine.connect() as connection:
        allowed, keys, urls = (
            set(connection.scalars(text(query)))
            for query in (
                "SELECT id FROM profiles WHERE environment_allowed",
                "SELECT name FROM api_keys",
                "SELECT url FROM webhooks",
            )
        )
    engine.dispose()
    postgres.drop_database("without_a_grant")
    assert allowed == {"plain", "cleared"}
    assert (keys, urls) == ({"all", "one"}, {"https://b.example"})


def test_a_new_admin_key_replaces_the_installed_one(database_url: str) -> None:
    for key in ("pr_the-first-admin-key", "pr_the-second-admin-key", "pr_the-second-admin-key"):
        migrate_database(read_settings({"DATABASE_URL": database_url, "PRESSROOM_ADMIN_KEY": key}))
    database = Database.connect(read_settings({"DATABASE_URL": database_url}))
    with database.transaction() as session:
        assert find_api_key(session, "pr_the-first-admin-key") is None
        assert find_api_key(session, "pr_the-second-admin-key") is not None
    database.close()
