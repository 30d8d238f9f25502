"""A database with as many posts as an agency makes in a year: what its people's lists are read
from."""

from sqlalchemy import text

from shared.db import Database
from tests.scenarios.crowd import tidy

#: Accounts, each with a profile and four channels.
ACCOUNTS = 20
#: A post in so many is due on one day, and one in so many has failed: each list has a long day.
FAILED_OF = 200

_PEOPLE = """
INSERT INTO accounts (server, base_url, key_hash, integrations_seen_at, budget_limit, budget_used,
                      window_ends_at)
SELECT 'https://postiz-' || n || '.example', 'https://postiz-' || n || '.example/api/public/v1',
       'key-' || n, now(), 90, n, now() + interval '40 minutes'
FROM generate_series(1, :accounts) AS n;
INSERT INTO profiles (id, name, tts_settings, account_id, key_hash)
SELECT 'client-' || id, 'Client ' || id, '{}', id, key_hash FROM accounts;
INSERT INTO integrations (account_id, id, server, name, identifier)
SELECT accounts.id, 'int-' || accounts.id || '-' || n, server, 'Channel ' || n, 'mastodon'
FROM accounts, generate_series(1, 4) AS n;
INSERT INTO jobs (kind, state, profile_id, handoff, total, finished_at)
SELECT 'bulk_publish', 'completed', 'client-' || (n % :accounts + 1), 'staged', 100,
       CASE WHEN n > :jobs / 20 THEN NULL ELSE now() END
FROM generate_series(1, :jobs) AS n
"""
#: A year until now, and a month more; the last of them are still open.
_POSTS = """
INSERT INTO posts (job_id, position, profile_id, account_id, integration_id,
                   integration_identifier, integration_name, content, publish_at, handoff, state,
                   published_at, release_at, error_code, error_message, error_at, created_at)
SELECT jobs.id, n, jobs.profile_id, substr(jobs.profile_id, 8)::bigint,
       'int-' || substr(jobs.profile_id, 8) || '-' || (n % 4 + 1), 'mastodon',
       'Channel ' || (n % 4 + 1),
       'Post ' || n || ' of job ' || jobs.id || ' ' || repeat('with words for people, ', 8),
       due.at, 'staged', due.state,
       CASE due.state WHEN 'published' THEN due.at + n % 60 * interval '1 second' END,
       CASE due.state WHEN 'staged' THEN due.at END,
       CASE due.state WHEN 'failed' THEN 'media_refused' WHEN 'held' THEN 'late' END,
       'Refused', CASE due.state WHEN 'failed' THEN due.at END, due.at - interval '2 days'
FROM generate_series(1, 100) AS n, jobs,
LATERAL (SELECT now() - interval '1 year' + (jobs.id * 100 + n) * interval '396 days'
                / (:jobs * 100) AS at) AS moment,
LATERAL (SELECT moment.at AS at, CASE
    WHEN jobs.id % 1000 = 7 AND n = 1 THEN 'held'
    WHEN (jobs.id + n) % :failed_of = 0 AND moment.at < now() THEN 'failed'
    WHEN (jobs.id + n) % :failed_of = 1 THEN 'cancelled'
    WHEN moment.at < now() THEN 'published'
    WHEN n % 2 = 0 THEN 'pending' ELSE 'staged' END AS state) AS due
"""
_EVENTS = """
INSERT INTO events (post_id, job_id, at, event)
SELECT id, job_id, created_at, 'accepted' FROM posts
"""


def fill_a_year(database: Database, *, posts: int) -> None:
    """A hundred posts for each job, of which those of the last month are still open."""
    values = {"accounts": ACCOUNTS, "jobs": posts // 100, "failed_of": FAILED_OF}
    with database.transaction() as session:
        for setting in ("statement_timeout = 0", "session_replication_role = replica"):
            session.execute(text(f"SET LOCAL {setting}"))
        for statement in (*_PEOPLE.split(";"), _POSTS, _EVENTS):
            named = {name: values[name] for name in values if f":{name}" in statement}
            session.execute(text(statement), named)
    tidy(database)
