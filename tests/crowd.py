"""A database full of posts, and the plans by which PostgreSQL answers what the worker asks it."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.orm import Session

from shared.db import Database
from worker import choosing, sweep, turns
from worker.runtime import Runtime

#: Half are pending and half staged, one after the other, none due yet but the first.
FILL = """
INSERT INTO accounts (server, base_url, key_hash, integrations_seen_at, budget_limit)
SELECT 'https://postiz-' || n || '.example', 'https://postiz-' || n || '.example/api/public/v1',
       'key-' || n, now(), 90
FROM generate_series(1, :accounts) AS n;
INSERT INTO profiles (id, name, tts_settings, account_id, key_hash)
SELECT 'profile-' || id, 'profile', '{}', id, key_hash FROM accounts;
INSERT INTO integrations (account_id, id, server, name, identifier)
SELECT id, 'int-' || id, server, 'Masto', 'mastodon' FROM accounts;
INSERT INTO jobs (kind, state, profile_id, handoff, total)
SELECT 'bulk_publish', 'queued', id, 'staged', :each FROM profiles;
INSERT INTO submissions (kind, account_id, profile_id, server, marker_at, elements, state,
                         replied_at)
SELECT 'stage', accounts.id, 'profile-' || accounts.id, server, now() - interval '2 days', 1,
       'staged', now()
FROM accounts;
INSERT INTO posts (job_id, position, profile_id, account_id, integration_id,
                   integration_identifier, content, media_ids, settings, publish_at, handoff,
                   state, submission_id, release_at)
SELECT jobs.id, n, jobs.profile_id, profiles.account_id, 'int-' || profiles.account_id,
       'mastodon', 'post ' || n, '{}', '{}', now() + n * :apart, 'staged',
       CASE WHEN n % 2 = 0 THEN 'pending' ELSE 'staged' END,
       CASE WHEN n % 2 = 1 THEN submissions.id END,
       CASE WHEN n % 2 = 1 THEN now() + (n - 1) * :apart END
FROM generate_series(1, :each) AS n, jobs
JOIN profiles ON profiles.id = jobs.profile_id
JOIN submissions ON submissions.account_id = profiles.account_id
"""


def fill(
    database: Database, *, accounts: int, posts: int, apart: timedelta = timedelta(minutes=1)
) -> None:
    """Posts of as many accounts, each account's so far `apart`, with up-to-date statistics."""
    with database.transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text("SET LOCAL synchronous_commit = off"))
        for statement in FILL.split(";"):
            values = {"accounts": accounts, "each": posts // accounts, "apart": apart}
            session.execute(text(statement), values)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))


def looks(runtime: Runtime, account_id: int) -> dict[str, Callable[[], Any]]:
    """What a worker does again and again to find its next work; nothing of it calls Postiz."""
    return {
        "tick": lambda: sweep.tick(runtime),
        "sweep": lambda: sweep.sweep(runtime),
        "whose turn": lambda: turns.whose(runtime),
        "next call": lambda: _choose(runtime, account_id),
    }


def _choose(runtime: Runtime, account_id: int) -> int:
    with runtime.database.transaction() as session:
        account = session.get_one(choosing.Account, account_id)
        chosen = choosing.choose(session, account, {}, Counter())
        session.rollback()
        return len(chosen)


def plans(database: Database, look: Callable[[], Any]) -> dict[str, str]:
    """Each statement that `look` makes, and PostgreSQL's plan for it."""
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        look()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    with Session(database.engine) as session:
        connection = session.connection()
        found = {}
        for statement, parameters in asked:
            if statement.startswith(("SELECT", "UPDATE", "INSERT", "WITH", "DELETE")):
                rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
                found[statement] = "\n".join(row[0] for row in rows)
        session.rollback()
    return found
