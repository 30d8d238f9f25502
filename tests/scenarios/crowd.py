"""A database full of posts, and the plans by which PostgreSQL answers what the worker asks it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.orm import Session

from shared.db import Database
from shared.domain.publishing.fairness import DueProfile
from shared.models import Account
from tests.workers import releases
from worker import due_work, sweep
from worker.accounts import server_turns
from worker.releasing import due_posts
from worker.runtime import Runtime
from worker.staging import batch_selection

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

#: Posts that have ended, ten of each job: so many more for each account.
FINISH = """
INSERT INTO jobs (kind, state, profile_id, handoff, total, finished_at)
SELECT 'bulk_publish', 'completed', 'profile-' || id, 'staged', 10, now()
FROM accounts, generate_series(1, :each / 10);
INSERT INTO posts (job_id, position, profile_id, account_id, integration_id,
                   integration_identifier, content, media_ids, settings, publish_at, handoff,
                   state, submission_id, created_at, published_at)
SELECT jobs.id, n, jobs.profile_id, submissions.account_id, 'int-' || submissions.account_id,
       'mastodon', 'post ' || n, '{}', '{}', now() - jobs.id * interval '1 minute', 'staged',
       'published', submissions.id, now() - interval '100 days', now()
FROM generate_series(1, 10) AS n, jobs
JOIN submissions ON 'profile-' || submissions.account_id = jobs.profile_id
WHERE jobs.finished_at IS NOT NULL
"""

#: What is due, or would be, of each account's profile and of others of the account, and is held
#: back in every way that there is; all of it is due before anything else.
HOLD = """
INSERT INTO accounts (server, key_hash) VALUES ('https://unknown.example', 'of nobody');
INSERT INTO profiles (id, name, tts_settings, account_id, key_hash, paused)
SELECT kind || accounts.id, kind, '{}',
       CASE kind WHEN 'departed-' THEN unknown.id ELSE accounts.id END,
       kind || accounts.id, kind = 'paused-'
FROM accounts JOIN accounts AS unknown ON unknown.key_hash = 'of nobody',
     unnest(ARRAY['paused-', 'refused-', 'departed-']) AS kind
WHERE accounts.id <= :accounts;
INSERT INTO holds (account_id, key_hash, reason, message)
SELECT id, 'refused-' || id, 'credentials_rejected', 'refused' FROM accounts;
INSERT INTO jobs (kind, state, profile_id, handoff, total, paused)
SELECT 'bulk_publish', 'queued', 'profile-' || id, 'staged', :each, true
FROM accounts WHERE id <= :accounts;
INSERT INTO media (profile_id, sha256)
SELECT 'profile-' || id, 'missing' FROM accounts WHERE id <= :accounts;
INSERT INTO posts (job_id, position, profile_id, account_id, integration_id,
                   integration_identifier, content, media_ids, settings, publish_at, handoff,
                   state, submission_id, release_at)
SELECT jobs.id, n,
       CASE WHEN way IN ('paused', 'refused', 'departed') THEN way ELSE 'profile' END
         || '-' || accounts.id,
       accounts.id,
       'int-' || CASE way WHEN 'channel' THEN accounts.id % :accounts + 1 ELSE accounts.id END,
       'mastodon', 'held', CASE way WHEN 'medium' THEN ARRAY[media.id] ELSE '{}'::bigint[] END,
       '{}', now() - n * interval '1 second', 'staged', ways.state,
       CASE ways.state WHEN 'staged' THEN submissions.id END,
       CASE ways.state WHEN 'staged' THEN now() - n * interval '1 second' END
FROM generate_series(1, :each) AS n, accounts
JOIN media ON media.profile_id = 'profile-' || accounts.id
JOIN submissions ON submissions.account_id = accounts.id
CROSS JOIN (VALUES ('job', 'staged'), ('paused', 'staged'), ('refused', 'staged'),
                   ('departed', 'staged'), ('job', 'pending'), ('paused', 'pending'),
                   ('refused', 'pending'), ('departed', 'pending'), ('medium', 'pending'),
                   ('channel', 'pending')) AS ways (way, state)
JOIN jobs ON jobs.profile_id = 'profile-' || accounts.id AND jobs.paused = (way = 'job')
"""


def fill(
    database: Database, *, accounts: int, posts: int, apart: timedelta = timedelta(minutes=1)
) -> None:
    """Posts of as many accounts, each account's so far `apart`, with up-to-date statistics."""
    _run(database, FILL, accounts=accounts, each=posts // accounts, apart=apart)


def fill_finished(database: Database, *, accounts: int, posts: int) -> None:
    """Posts that were published, beside those of `fill`."""
    _run(database, FINISH, each=posts // accounts)


def hold_back(database: Database, *, accounts: int, each: int) -> None:
    """For each account so many posts more that are held back in each way."""
    _run(database, HOLD, accounts=accounts, each=each)


def _run(database: Database, script: str, **values: Any) -> None:
    with database.transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text("SET LOCAL synchronous_commit = off"))
        session.execute(text("SET LOCAL session_replication_role = replica"))  # no foreign keys
        for statement in filter(str.strip, script.split(";")):
            session.execute(text(statement), values)
    tidy(database)


def tidy(database: Database) -> None:
    """As autovacuum does, sooner or later."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))


def looks(runtime: Runtime, account_id: int) -> dict[str, Callable[[], Any]]:
    """What a worker does again and again to find its next work; nothing of it calls Postiz."""
    return {
        "tick": lambda: sweep.run_tick(runtime),
        "sweep": lambda: sweep.run_sweep(runtime),
        "due steps": lambda: _find_due_steps(runtime),
        "whose turn": lambda: server_turns.find_releasable(runtime),
        "next call": lambda: _choose(runtime, account_id),
        "next releases": lambda: _lock_next(runtime),
    }


def _find_due_steps(runtime: Runtime) -> set[str]:
    with runtime.database.transaction() as session:
        ages = runtime.settings.lease_seconds, runtime.settings.outcome_unknown_seconds
        return {step for _, step in session.execute(due_work.ask_for_steps(*ages))}


def _lock_next(runtime: Runtime) -> int:
    due, _ = server_turns.find_releasable(runtime)
    wanted = [due_posts.Turns(due=profile, count=4) for profile in due]
    with runtime.database.transaction() as session:
        found = due_posts.lock_due_posts(session, wanted, Counter(), 0.0)
        session.rollback()
        return len(found)


def _choose(runtime: Runtime, account_id: int) -> int:
    with runtime.database.transaction() as session:
        account = session.get_one(Account, account_id)
        chosen = batch_selection.choose_posts(session, account, {}, Counter())
        session.rollback()
        return len(chosen)


def set_aside(runtime: Runtime, account_id: int) -> None:
    """What the workers do when they meet what is held back."""
    due = DueProfile(
        profile_id=f"profile-{account_id}",
        account_id=account_id,
        server=f"https://postiz-{account_id}.example",
        due_at=datetime.now(UTC),
    )
    with runtime.database.transaction() as session:
        releases.lock_first(session, due)
        account = session.get_one(Account, account_id)
        batch_selection.choose_posts(session, account, {}, Counter())


def plans(database: Database, look: Callable[[], Any]) -> dict[str, str]:
    """Each statement that `look` makes, and PostgreSQL's plan for it."""
    return {
        statement: "\n".join(row[0] for row in rows)
        for statement, rows in _explained(database, look, "EXPLAIN")
    }


def pages_read(database: Database, look: Callable[[], Any]) -> int:
    """How many pages PostgreSQL looks at for all of `look`: what it costs, however busy it is."""
    return sum(
        plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        for _, rows in _explained(database, look, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)")
        for plan in [rows[0][0][0]["Plan"]]
    )


def _explained(
    database: Database, look: Callable[[], Any], how: str
) -> Iterator[tuple[str, Sequence[Any]]]:
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
        for statement, parameters in asked:
            if statement.startswith(("SELECT", "UPDATE", "INSERT", "WITH", "DELETE")):
                rows = connection.exec_driver_sql(f"{how} {statement}", parameters)
                yield statement, rows.all()
        session.rollback()
