"""A worker that vanishes inside a transaction keeps its locks for a while: it costs nobody else."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared import db, metrics
from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.models import Account, AccountMedia, Base, Job, Post, Submission
from tests.factories.media import make_medium
from tests.factories.posts import make_due, make_posts
from tests.factories.profiles import KEY, make_profile
from tests.timing.patience import PATIENCE
from tests.workers import releases
from tests.workers.inline_tasks import waiting_tasks
from tests.workers.world import World
from worker import round_steps, sweep
from worker.accounts import server_turns
from worker.accounts.error_policy import MAX_ATTEMPTS
from worker.media import lost_uploads
from worker.releasing import claims
from worker.staging import submissions

LONG_AGO = func.now() - timedelta(hours=1)


@contextmanager
def vanished(world: World, table: type[Base], *ids: int) -> Iterator[None]:
    """Somebody has changed these rows, and is heard of no more."""
    with world.database.engine.connect() as connection, connection.begin() as transaction:
        rows = select(table).where(table.__mapper__.primary_key[0].in_(ids))
        connection.execute(rows.with_for_update(key_share=True))
        yield
        transaction.rollback()


def woken(world: World) -> set[tuple[str, int]]:
    return set(waiting_tasks(world.runtime))


def lost_call(world: World, profile_id: str, integration: str = "int-mastodon") -> tuple[int, int]:
    """A call whose worker is gone since long, by its submission and its post."""
    [post_id] = make_posts(world, profile_id, ["lost"], integration=integration)
    call = submissions.prepare_call(world.runtime, world.account(profile_id).id)
    assert call is not None
    with world.database.transaction() as session:
        session.execute(update(Submission).values(sent_at=LONG_AGO))
        session.execute(update(Account).values(lease_until=None))
    return call.submission_id, post_id


def calls(world: World, ids: list[int]) -> list[str]:
    with world.database.transaction() as session:
        return [session.get_one(Submission, each).state for each in ids]


@pytest.mark.parametrize("held", [Submission, Post])
def test_a_call_that_a_vanished_worker_holds_is_passed_over(
    two_profiles: World, held: type[Base]
) -> None:
    world = two_profiles
    theirs = dict(zip((Submission, Post), lost_call(world, "other", "int-o"), strict=True))
    ours, _ = lost_call(world, "acme")
    with vanished(world, held, theirs[held]):
        sweep.run_sweep(world.runtime)
        assert calls(world, [ours, theirs[Submission]]) == ["unclear", "sending"]
        assert ("pressroom.stage", world.account("acme").id) in woken(world)
    sweep.run_sweep(world.runtime)
    assert calls(world, [ours, theirs[Submission]]) == ["unclear", "unclear"]


def test_an_upload_that_a_vanished_worker_holds_is_passed_over(two_profiles: World) -> None:
    world = two_profiles
    media = [make_medium(world, "acme", b"\x89PNG\r\n\x1a\n" + bytes([n])) for n in range(2)]
    with world.database.transaction() as session:
        session.execute(update(AccountMedia).values(state="uploading", lease_until=LONG_AGO))
        held = session.scalars(
            select(AccountMedia.id).where(AccountMedia.media_id == media[0])
        ).one()
    with vanished(world, AccountMedia, held):
        sweep.run_sweep(world.runtime)
        assert [world.upload_state(each) for each in media] == ["uploading", "pending"]


def test_an_upload_is_given_up_only_with_all_posts_that_wait_for_it(two_profiles: World) -> None:
    world = two_profiles
    media = [make_medium(world, "acme", b"\x89PNG\r\n\x1a\n" + bytes([n])) for n in range(2)]
    ids = [make_posts(world, "acme", ["a"], media_ids=[each])[0] for each in media]
    with world.database.transaction() as session:
        session.execute(update(AccountMedia).values(attempts=MAX_ATTEMPTS + 1))
    with vanished(world, Post, ids[0]):
        sweep.run_sweep(world.runtime)
        assert [world.upload_state(each) for each in media] == ["pending", "failed"]
        assert world.states(ids) == [PostState.PENDING, PostState.FAILED]
    with world.database.transaction() as session:
        session.execute(update(AccountMedia).values(next_at=func.now()))
        lost_uploads.give_up_exhausted(session)
    assert world.states(ids) == [PostState.FAILED, PostState.FAILED]


def test_a_release_whose_worker_vanishes_before_its_commit_keeps_no_other_from_its_turn(
    two_profiles: World,
) -> None:
    """They are made on one server, whose pace all of them go by."""
    world = two_profiles
    ids = make_posts(world, "acme", ["ours"], in_seconds=3600)
    ids += make_posts(world, "other", ["theirs"], integration="int-o", in_seconds=3600)
    world.until_all(PostState.STAGED, ids)
    make_due(world, ids)
    due = {each.profile_id: each for each in server_turns.find_releasable(world.runtime)[0]}
    with world.database.transaction() as session:
        found = releases.lock_first(session, due["other"])
        in_a_free_moment(lambda: claims._claim_found_posts(world.runtime, session, found))
        in_a_free_moment(lambda: releases.claim_first(world.runtime, due["acme"]))


def in_a_free_moment(claim: Callable[[], object]) -> None:
    """Once the server's pace allows it, which the write before may have used."""
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_post_to_be_explained_that_is_held_stops_no_sweep(two_profiles: World) -> None:
    world = two_profiles
    ids = make_posts(world, "acme", ["a", "b"])
    with world.database.transaction() as session:
        values = {
            "state": "scheduled",
            "track_at": LONG_AGO,
            "account_id": world.account("other").id,
        }
        session.execute(update(Post).values(values))
    with vanished(world, Post, ids[0]):
        sweep.run_sweep(world.runtime)
        assert world.post(ids[1]).error_code == "cannot_be_followed"
        assert world.post(ids[0]).error_code is None


def fails(*_: Any) -> Any:
    raise RuntimeError("a step that always fails")


def contained(name: str) -> float:
    labels = {"where": name}
    return metrics.COUNTED.get_sample_value("pressroom_contained_failures_total", labels) or 0.0


def test_a_step_of_the_sweep_that_fails_costs_no_other(
    two_profiles: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of them fail, those between them do their work."""
    world = two_profiles
    lost, _ = lost_call(world, "acme")
    make_posts(world, "other", ["waits"], integration="int-o")
    failing = {*sweep.RESCUES, *sweep.WAITING} - {"rescue_calls", "pressroom.stage"}
    before = {name: contained(name) for name in failing}
    for table in (sweep.RESCUES, sweep.WAITING):
        for name in failing & set(table):
            monkeypatch.setitem(table, name, fails)
    sweep.run_sweep(world.runtime)
    assert calls(world, [lost]) == ["unclear"]
    accounts = {world.account(profile_id).id for profile_id in ("acme", "other")}
    assert woken(world) == {("pressroom.stage", account_id) for account_id in accounts}
    assert {name: contained(name) - before[name] for name in failing} == dict.fromkeys(failing, 1)


@pytest.mark.parametrize("name", sweep.DUE_TO_THE_SECOND)
def test_a_step_of_the_tick_that_fails_costs_no_other(
    two_profiles: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    world = two_profiles
    ids = make_posts(world, "acme", ["a", "b", "c"])
    due = {"lease_until": LONG_AGO, "track_at": LONG_AGO}
    states = (PostState.RELEASING, PostState.SCHEDULED, PostState.CANCELLING)
    with world.database.transaction() as session:
        for post_id, state in zip(ids, states, strict=True):
            session.execute(update(Post).where(Post.id == post_id).values(due | {"state": state}))
    monkeypatch.setitem(sweep.DUE_TO_THE_SECOND, name, fails)
    sweep.run_tick(world.runtime)
    names = {task for task, _ in woken(world)}
    assert names == {*sweep.DUE_TO_THE_SECOND, "pressroom.release"} - {name}


def test_a_step_that_meets_a_lock_is_given_up_within_a_moment(two_profiles: World) -> None:
    world = two_profiles
    [post_id] = make_posts(world, "acme", ["a"])

    def wait_for(_: object, session: Session) -> bool:
        session.execute(update(Post).values(content="b"))
        return True

    found = {"waits": wait_for, "goes on": lambda _, __: True}
    with vanished(world, Post, post_id):
        assert round_steps.run_steps(world.runtime, found) == {"goes on": True}


def test_without_a_database_the_round_is_over_at_once(world: World) -> None:
    world.database.close()
    begun = []

    def is_away(_: object, session: Session) -> None:
        begun.append(1)
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(OperationalError):
        round_steps.run_steps(world.runtime, {"first": is_away, "second": is_away})
    assert begun == [1]


def test_postgresql_ends_a_transaction_in_which_nothing_happens(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    [post_id] = make_posts(world, make_profile(world, key=KEY), ["a"])
    monkeypatch.setattr(db, "IDLE_IN_TRANSACTION_MS", 300)
    gone = Database.connect(world.settings)
    with pytest.raises(OperationalError), gone.transaction() as session:
        session.execute(update(Post).values(content="b"))
        with world.database.transaction() as other:  # waits until the lock is given up
            other.execute(update(Post).values(content="c"))
    gone.close()
    assert world.post(post_id).content == "c"


def test_every_connection_lets_go_of_what_is_gone(world: World) -> None:
    wanted = ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout")
    probes = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
    with world.database.transaction() as session:
        shown = {name: session.scalar(text(f"SHOW {name}")) for name in (*wanted, *probes)}
        user_timeout = session.scalar(text("SHOW tcp_user_timeout"))
    assert list(shown.values()) == ["30s", "10s", "30s", "10", "5", "3"]
    assert user_timeout == "25000"


def test_a_job_whose_row_is_held_keeps_no_other_from_its_end(two_profiles: World) -> None:
    world = two_profiles
    ids = [make_posts(world, "acme", ["a"])[0], make_posts(world, "acme", ["b"])[0]]
    with world.database.transaction() as session:
        session.execute(update(Post).values(state=PostState.PUBLISHED))
    jobs = [world.post(each).job_id for each in ids]
    with vanished(world, Job, jobs[0]):
        sweep.run_sweep(world.runtime)
        with world.database.transaction() as session:
            ended = select(Job.id).where(Job.finished_at.is_not(None))
            assert session.scalars(ended).all() == [jobs[1]]
