"""What is old and ended is pruned, what is not stays whole, and no table is read through for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import event, func, select, text, update

from shared.access import api_keys
from shared.config import read_settings
from shared.models import (
    AccountMedia,
    AuditEntry,
    Base,
    Delivery,
    Event,
    Handover,
    IdempotencyKey,
    Job,
    Media,
    Post,
    RetiredKey,
    ScheduleRun,
    Submission,
    Webhook,
)
from shared.posts import cancel_retry
from tests.factories.files import FILES
from tests.factories.media import make_medium
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile
from tests.factories.schedules import build_schedule
from tests.workers.world import World
from worker.retention import prune

YEAR_AGO = timedelta(days=366)


@pytest.fixture
def acme(world: World) -> World:
    make_profile(world, key=KEY)
    return world


def test_the_audit_trail_is_kept_for_a_year_at_least(world: World) -> None:
    with pytest.raises(ValidationError):
        read_settings({"PRESSROOM_AUDIT_RETENTION_DAYS": "364"})
    entry = dict.fromkeys(("method", "route", "operation", "address", "user_agent"), "x")
    for days in (364, 366):
        with world.database.transaction() as session:
            session.add(
                AuditEntry(
                    **entry,
                    actor_kind="key",
                    actor_id=1,
                    actor_name=f"{days}",
                    request_id="r",
                    targets={},
                    fields=[],
                    at=datetime.now(UTC) - timedelta(days=days),
                )
            )
    settings = read_settings({"PRESSROOM_AUDIT_RETENTION_DAYS": "365"})
    with world.database.transaction() as session:
        assert prune.delete_old_audit_entries(session, settings) == 1
        assert session.scalars(select(AuditEntry.actor_name)).all() == ["364"]


def ended(world: World, *, ago: timedelta = YEAR_AGO, posts: int = 2) -> list[int]:
    """A job that was published so long ago, with all that publishing leaves behind."""
    ids = make_posts(world, "acme", ["x"] * posts)
    moment = datetime.now(UTC) - ago
    with world.database.transaction() as session:
        rows = session.scalars(select(Post).where(Post.id.in_(ids))).all()
        call = Submission(
            account_id=rows[0].account_id,
            profile_id="acme",
            server="s",
            marker_at=moment + timedelta(microseconds=ids[0]),
            elements=posts,
            state="staged",
            sent_at=moment,
        )
        session.add(call)
        session.flush()
        for post in rows:
            post.state, post.updated_at, post.submission_id = "published", moment, call.id
            session.add(Event(post_id=post.id, job_id=post.job_id, event="published", at=moment))
            session.add(
                Handover(
                    post_id=post.id,
                    account_id=post.account_id,
                    submission_id=call.id,
                    postiz_id=f"of-{post.id}",
                    marker_at=moment,
                    state="released",
                )
            )
        session.execute(
            update(Job)
            .where(Job.id == rows[0].job_id)
            .values(finished_at=moment, state="completed")
        )
    return ids


def left(world: World) -> dict[str, int]:
    tables = (Job, Post, Event, Handover, Submission)
    with world.database.transaction() as session:
        return {
            each.__tablename__: session.scalar(select(func.count()).select_from(each)) or 0
            for each in tables
        }


def prune_all(world: World) -> None:
    for step in prune.STEPS.values():
        for _ in range(1000):
            with world.database.transaction() as session:
                if not step(session, world.settings):
                    break
        else:
            raise AssertionError(f"{step.__name__} never ends")


NOTHING = dict.fromkeys(("jobs", "posts", "events", "handovers", "submissions"), 0)


def test_a_job_goes_with_all_that_is_its_own_in_small_batches(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "BATCH", 3)
    for posts in (1, 7):
        ended(acme, posts=posts)
    kept = ended(acme, ago=timedelta(days=364))
    prune_all(acme)
    assert left(acme) == {"jobs": 1, "posts": 2, "events": 0, "handovers": 2, "submissions": 1}
    assert acme.post(kept[0]).state == "published"


def test_for_ever_is_for_ever(acme: World) -> None:
    days = {"PRESSROOM_JOB_RETENTION_DAYS": "0", "PRESSROOM_EVENT_RETENTION_DAYS": "0"}
    acme.runtime.settings = read_settings(days)
    ended(acme)
    before = left(acme)
    prune_all(acme)
    assert left(acme) == before


UNFINISHED: list[dict[str, Any]] = [
    {"state": "pending"},
    {"state": "staged"},
    {"state": "scheduled"},
    {"state": "cancelling"},
    {"state": "published", "track_at": func.now()},
    {"state": "failed", "track_at": func.now()},
    {"state": "published", "take_back": True},
    {"state": "failed", "error_code": "outcome_unknown"},
    {"state": "failed", "updated_at": func.now()},
]


@pytest.mark.parametrize("values", UNFINISHED, ids=lambda values: "-".join(map(str, values)))
def test_a_job_with_anything_unfinished_stays_whole(acme: World, values: dict[str, Any]) -> None:
    first, _ = ended(acme)
    with acme.database.transaction() as session:
        session.execute(update(Post).where(Post.id == first).values(values))
    before = left(acme)
    prune_all(acme)
    assert left(acme) == before


def test_a_draft_that_is_still_to_be_deleted_in_postiz_keeps_its_job(acme: World) -> None:
    ended(acme)
    with acme.database.transaction() as session:
        session.execute(update(Handover).values(state="discarded", buried_at=func.now()))
    before = left(acme)
    prune_all(acme)
    assert left(acme) == before


def test_an_upload_that_waits_keeps_its_job_and_one_that_is_done_does_not(acme: World) -> None:
    make_medium(acme, "acme", FILES.png())
    old = func.now() - YEAR_AGO
    with acme.database.transaction() as session:
        session.execute(update(Job).values(finished_at=old))
    prune_all(acme)
    assert left(acme)["jobs"] == 1
    with acme.database.transaction() as session:
        session.execute(update(AccountMedia).values(state="uploaded"))
        session.execute(update(Media).values(removed_at=func.now(), storage_key=None))
    prune_all(acme)
    assert left(acme)["jobs"] == 0
    with acme.database.transaction() as session:  # the last that showed the removed medium
        assert session.scalars(select(Media)).all() == []


def test_a_post_that_is_being_retried_is_left_alone(acme: World) -> None:
    [post] = ended(acme, posts=1)
    with acme.database.transaction() as session:
        session.execute(update(Post).values(state="failed"))
        session.execute(update(Handover).values(buried_at=func.now(), state="buried"))
    with acme.database.transaction() as retrying:
        cancel_retry.requeue_posts(retrying, [post])
        prune_all(acme)
    assert acme.post(post).state == "pending"
    prune_all(acme)
    assert left(acme)["posts"] == 1


def test_a_timeline_goes_before_its_job(acme: World) -> None:
    old, new = timedelta(days=91), timedelta(days=89)
    ended(acme, ago=old, posts=3)
    ended(acme, ago=new, posts=2)
    prune_all(acme)
    assert (left(acme)["events"], left(acme)["posts"]) == (2, 5)


def test_the_timeline_of_what_is_tried_again_is_pruned_again(acme: World) -> None:
    [post] = ended(acme, ago=timedelta(days=91), posts=1)
    prune_all(acme)
    old = func.now() - timedelta(days=91)
    with acme.database.transaction() as session:
        session.execute(update(Post).values(state="failed"))
        cancel_retry.requeue_posts(session, [post])
        session.execute(update(Handover).values(state="buried"))  # as the litter sweep does
        session.execute(update(Post).values(state="published", updated_at=old))
        session.execute(update(Job).values(finished_at=old))
    assert left(acme)["events"] == 1
    prune_all(acme)
    assert left(acme)["events"] == 0


@pytest.mark.parametrize(
    "values",
    [
        {"litter_at": func.now()},
        {"state": "sending"},
        {"marker_at": func.now() + timedelta(days=20)},
        {"sent_at": func.now() - timedelta(days=300)},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_call_that_is_still_of_use_stays(acme: World, values: dict[str, Any]) -> None:
    ended(acme)
    with acme.database.transaction() as session:
        session.execute(update(Submission).values(values))
    prune_all(acme)
    assert left(acme) == {**NOTHING, "submissions": 1}


def test_answers_that_are_kept_for_repeated_requests_go(acme: World) -> None:
    with acme.database.transaction() as session:
        for number, days in enumerate((1.9, 2.1, 30)):
            session.add(
                IdempotencyKey(
                    caller="key 1",
                    key=f"k{number}",
                    request_hash="x",
                    status=200,
                    headers={},
                    body="",
                    created_at=datetime.now(UTC) - timedelta(days=days),
                )
            )
    prune_all(acme)
    with acme.database.transaction() as session:
        assert session.scalars(select(IdempotencyKey.key)).all() == ["k0"]


def test_what_a_rotated_key_was_goes_when_its_overlap_is_over(acme: World) -> None:
    body: dict[str, Any] = {"name": "k", "profile_ids": None, "scopes": ["read"]}
    for overlap in (-1, 60):
        with acme.database.transaction() as session:
            row, _ = api_keys.create_api_key(session, **body, expires_at=None)
            retired = {"key_hash": f"{overlap}", "api_key_id": row.id}
            until = func.now() + timedelta(seconds=overlap)
            session.add(RetiredKey(**retired, valid_until=until))
    prune_all(acme)
    with acme.database.transaction() as session:
        assert session.scalars(select(RetiredKey.key_hash)).all() == ["60"]


def test_what_became_of_old_fire_times_goes(acme: World) -> None:
    with acme.database.transaction() as session:
        schedule = build_schedule([])
        session.add(schedule)
        session.flush()
        for number, ago in enumerate((364, 366)):
            at = datetime.now(UTC) - timedelta(days=ago)
            run = {"fire_at": at, "state": "started", "created_at": at, "id": number + 1}
            session.add(ScheduleRun(schedule_id=schedule.id, **run))
    prune_all(acme)
    with acme.database.transaction() as session:
        assert session.scalars(select(ScheduleRun.id)).all() == [1]


def test_deliveries_go_but_for_those_that_are_still_to_be_made(acme: World) -> None:
    with acme.database.transaction() as session:
        webhook = Webhook(url="http://a.b", events=[], profile_ids=None, secret="x")
        session.add(webhook)
        session.flush()
        for number, (state, days) in enumerate(
            [("pending", 31), ("delivered", 31), ("failed", 31), ("delivered", 29)]
        ):
            session.add(
                Delivery(
                    webhook_id=webhook.id,
                    message_id=f"m{number}",
                    event="post.published",
                    profile_ids=["acme"],
                    data={},
                    state=state,
                    created_at=datetime.now(UTC) - timedelta(days=days),
                )
            )
    prune_all(acme)
    with acme.database.transaction() as session:
        kept = session.scalars(select(Delivery.message_id).order_by(Delivery.id)).all()
    assert kept == ["m0", "m3"]


def test_what_waits_for_a_disabled_webhook_goes_at_its_age(acme: World) -> None:
    event = {"event": "post.failed", "profile_ids": ["acme"], "data": {}, "state": "pending"}
    with acme.database.transaction() as session:
        for enabled in (True, False):
            hook = Webhook(url="https://a.example", events=[], secret="s", enabled=enabled)
            session.add(hook)
            session.flush()
            for days in (29, 31):
                created_at = datetime.now(UTC) - timedelta(days=days)
                row = {**event, "webhook_id": hook.id, "created_at": created_at}
                session.add(Delivery(message_id=f"{enabled} {days}", **row))
    prune_all(acme)
    with acme.database.transaction() as session:
        kept = session.scalars(select(Delivery.message_id).order_by(Delivery.id)).all()
    assert kept == ["True 29", "True 31", "False 29"]


MANY = 20_000
_FILL = (
    """INSERT INTO jobs (kind, profile_id, state, total, finished_at)
       SELECT 'publish', 'acme', 'completed', 1, now() - interval '1 day' * (n % 80)
       FROM generate_series(1, :many) AS n""",
    """INSERT INTO submissions (account_id, profile_id, server, kind, marker_at, elements, state,
                                sent_at)
       SELECT min(a.id), 'acme', 's', 'stage', now() - interval '1 s' * n, 1, 'staged',
              now() - interval '1 s' * n
       FROM accounts AS a, generate_series(1, :many) AS n GROUP BY n""",
    """INSERT INTO posts (job_id, position, profile_id, account_id, integration_id, content,
                          media_ids, publish_at, handoff, state, submission_id)
       SELECT j.id, 0, 'acme', (SELECT min(id) FROM accounts), 'i', 'x', '{1}', now(), 'staged',
              'published', (SELECT min(id) FROM submissions) + j.id % :many
       FROM jobs AS j WHERE EXISTS (SELECT FROM submissions)""",
    """INSERT INTO handovers (post_id, account_id, submission_id, postiz_id, marker_at, state)
       SELECT id, account_id, submission_id, 'p' || id, now(), 'released' FROM posts""",
    "INSERT INTO events (post_id, job_id, event) SELECT id, job_id, 'x' FROM posts",
)


@contextmanager
def plans(world: World) -> Iterator[list[str]]:
    """The plans of all statements in here that read or change our larger tables."""
    found: list[str] = []
    engine = world.database.engine

    def explain(connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "DELETE", "UPDATE")):
            cursor.execute(f"EXPLAIN {statement}", values)
            found.append("\n".join(line[0] for line in cursor.fetchall()))

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def test_no_table_is_read_through_to_find_what_is_old(acme: World) -> None:
    with acme.database.transaction() as session:
        for statement in _FILL:
            session.execute(text(statement), {"many": MANY})
    ended(acme)
    with acme.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    with plans(acme) as found:
        prune_all(acme)
    assert found
    large = ("jobs", "posts", "events", "handovers", "submissions")
    scans = [plan for plan in found for name in large if f"Seq Scan on {name}" in plan]
    assert scans == []
    assert left(acme)["posts"] == MANY


def test_every_table_is_pruned_or_grows_with_nothing_but_what_people_keep() -> None:
    """A new table has to be thought about: when do its rows go?"""
    with_people = {"profiles", "accounts", "integrations", "servers", "api_keys"}
    with_people |= {"holds", "settings_holds"}
    with_jobs = {"jobs", "posts", "events", "handovers", "submissions", "job_media"}
    with_media = {"media", "account_media"}
    with_users = {"schedules", "webhooks", "users"}
    by_themselves = {"pulses", "idempotency_keys", "schedule_runs", "deliveries", "retired_keys"}
    by_themselves |= {
        "user_sessions",
        "key_sessions",
        "one_time_links",
        "audit_entries",
        "incoming_uploads",
    }
    by_themselves |= {"approval_links", "calendar_links", "agent_plans", "requested_edits"}
    known = with_people | with_users | with_jobs | with_media | by_themselves
    assert set(Base.metadata.tables) == known
