"""A database with as many posts as an agency makes in a year: what its people's lists are read
from."""

from sqlalchemy import text

from shared.db import Database
from tests.scenarios.crowd import tidy

#: Accounts, each with a profile and four channels.
ACCOUNTS = 20
#: A post in so many is due on one day, and one in so many has failed: each list has a long day.
FAILED_OF = 200
#: Of media, of what one webhook was told, and of the audit trail: rows of each.
OTHERS = 300_000

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
                   published_at, release_at, error_code, error_message, error_at, created_at,
                   media_ids)
SELECT jobs.id, n, jobs.profile_id, substr(jobs.profile_id, 8)::bigint,
       'int-' || substr(jobs.profile_id, 8) || '-' || (n % 4 + 1), 'mastodon',
       'Channel ' || (n % 4 + 1),
       'Post ' || n || ' of job ' || jobs.id || ' ' || repeat('with words for people, ', 8),
       due.at, 'staged', due.state,
       CASE due.state WHEN 'published' THEN due.at + n % 60 * interval '1 second' END,
       CASE due.state WHEN 'staged' THEN due.at END,
       CASE due.state WHEN 'failed' THEN 'media_refused' WHEN 'held' THEN 'late' END,
       'Refused', CASE due.state WHEN 'failed' THEN due.at END, due.at - interval '2 days',
       ARRAY[(jobs.id * 100 + n) / 3]
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

#: One webhook, files of every profile, schedules that fire each day, keys and people.
_OTHERS = """
INSERT INTO media (profile_id, sha256, size, mime, name, storage_key)
SELECT 'client-' || (n % :accounts + 1), md5(n::text) || md5('-' || n), 1000000 + n,
       CASE n % 500 WHEN 7 THEN 'image/png' ELSE 'video/mp4' END, 'clip ' || n || '.mp4',
       'kept-' || n
FROM generate_series(1, :others) AS n;
WITH uploads AS (
    INSERT INTO jobs (kind, state, profile_id, total, finished_at)
    SELECT 'upload', 'completed', 'client-' || (n % :accounts + 1), 1, now()
    FROM generate_series(1, :others) AS n RETURNING id, profile_id
), copies AS (
    INSERT INTO account_media (media_id, account_id, profile_id, state, uploaded_at)
    SELECT id, substr(profile_id, 8)::bigint, profile_id, 'uploaded', now() FROM media
    RETURNING id, profile_id
)
INSERT INTO job_media (job_id, position, account_media_id)
SELECT job.id, 0, copy.id
FROM (SELECT id, row_number() OVER (ORDER BY id) FROM uploads) AS job
JOIN (SELECT id, row_number() OVER (ORDER BY id) FROM copies) AS copy USING (row_number);
INSERT INTO webhooks (url, events, secret, profile_ids)
VALUES ('https://told.example/', '{post.published}', 'sealed', '{client-3}');
INSERT INTO deliveries (webhook_id, message_id, event, profile_ids, data, state, attempts)
SELECT (SELECT max(id) FROM webhooks), 'msg-' || n, 'post.published', '{client-3}',
       jsonb_build_object('n', n), 'delivered', 1
FROM generate_series(1, :others) AS n;
INSERT INTO audit_entries (at, actor_kind, actor_id, actor_name, method, route, operation, targets,
                           fields, profile_ids, address, user_agent, request_id)
SELECT now() - n * interval '1 minute', CASE n % 2 WHEN 0 THEN 'user' ELSE 'key' END, n % 50 + 1,
       'Somebody', 'POST', '/api/v1/postiz/publish', 'publish', jsonb_build_object('job', n::text),
       '{caption}', ARRAY['client-' || (n % :accounts + 1)], '203.0.113.7', 'curl', 'r-' || n
FROM generate_series(1, :others) AS n;
INSERT INTO schedules (profile_id, name, cron, timezone, kind, body, items, media_ids,
                       misfire_grace_seconds, next_fire_at)
SELECT 'client-' || (n % :accounts + 1), 'Schedule ' || n, '30 9 * * *', 'UTC', 'bulk',
       '{"items": []}', 1, '{}', 3600, now() + n * interval '1 minute'
FROM generate_series(1, :others / 300) AS n;
INSERT INTO api_keys (name, key_hash, scopes)
SELECT 'Key ' || n, md5(n::text), '{read}' FROM generate_series(1, :others / 300) AS n;
INSERT INTO users (email, name, role)
SELECT 'person-' || n || '@example.com', 'Person ' || n, 'viewer'
FROM generate_series(1, :others / 300) AS n
"""


def fill_a_year(database: Database, *, posts: int) -> None:
    """A hundred posts for each job, of which those of the last month are still open."""
    _fill(database, *_PEOPLE.split(";"), _POSTS, _EVENTS, jobs=posts // 100)


def fill_other_lists(database: Database, *, rows: int = OTHERS) -> None:
    """What a year leaves beside the posts; after them."""
    _fill(database, *_OTHERS.split(";"), others=rows)


def _fill(database: Database, *statements: str, **numbers: int) -> None:
    values = {"accounts": ACCOUNTS, "failed_of": FAILED_OF, **numbers}
    with database.transaction() as session:
        for setting in ("statement_timeout = 0", "session_replication_role = replica"):
            session.execute(text(f"SET LOCAL {setting}"))
        for statement in statements:
            named = {name: values[name] for name in values if f":{name}" in statement}
            session.execute(text(statement), named)
    tidy(database)
