"""A profile with much of its own is deleted in batches, whoever dies in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, func, select, text, update
from sqlalchemy.engine.interfaces import DBAPICursor

from shared.domain.publishing.states import PostState
from shared.errors import Conflict
from shared.models import Account, Delivery, Post, Profile, Submission, Webhook
from shared.profiles import deletion
from tests.factories.files import FILES
from tests.factories.media import make_medium
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile
from tests.servers.api import Api
from tests.workers.inline_tasks import waiting_tasks
from tests.workers.runtimes import worker_beside
from tests.workers.world import World
from web.api import profiles as profiles_api
from worker import sweep
from worker.runtime import Runtime
from worker.staging import submissions

FOREVER = float("inf")
MANY = 40


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "BATCH", 10)


@pytest.fixture
def runtime(api: Api, tmp_path: Path) -> Iterator[Runtime]:
    with worker_beside(api, tmp_path) as started:
        yield started


def filled(world: World, *names: str) -> None:
    """Profiles with posts that ended, with what belongs to them, and files."""
    for name in names:
        make_profile(world, name, key=KEY)
        for number in range(3):
            make_medium(world, name, FILES.png(number))
        ids = make_posts(world, name, [f"{name} {number}" for number in range(MANY)])
        call = submissions.prepare_call(world.runtime, world.account(name).id)
        assert call is not None
        with world.database.transaction() as session:
            ended = update(Post).where(Post.id.in_(ids))
            session.execute(ended.values(state=PostState.PUBLISHED))
            session.execute(update(Account).values(lease_until=None))
    with world.database.transaction() as session:
        session.execute(update(Submission).values(state="staged"))


def begun(world: World, profile_id: str) -> None:
    with world.database.transaction() as session:
        deletion.begin_removal(session, profile_id, force=True)


def go_on(world: World, profile_id: str, *, until: float = FOREVER) -> bool:
    return deletion.continue_removal(world.database, world.runtime.storage, profile_id, until=until)


@contextmanager
def noting_deletes(world: World) -> Iterator[list[int]]:
    """How many rows each statement deletes."""
    numbers: list[int] = []

    def note(_: Connection, cursor: DBAPICursor, statement: str, *__: object) -> None:
        if statement.startswith("DELETE"):
            numbers.append(cursor.rowcount)

    event.listen(world.database.engine, "after_cursor_execute", note)
    yield numbers
    event.remove(world.database.engine, "after_cursor_execute", note)


def test_it_goes_in_small_batches_and_leaves_the_others_alone(world: World) -> None:
    filled(world, "acme", "beta")
    begun(world, "acme")
    with noting_deletes(world) as numbers:
        assert go_on(world, "acme")
    assert sum(numbers) > MANY
    assert max(numbers) <= 10 * deletion.BATCH
    with world.database.transaction() as session:
        assert session.scalars(select(Profile.id)).all() == ["beta"]
        kept = select(Post.profile_id, func.count()).group_by(Post.profile_id)
        assert dict(session.execute(kept).all()) == {"beta": MANY}
        assert set(session.scalars(select(Submission.profile_id))) == {"beta"}
    keys = {each.key.split("/")[0] for each in world.runtime.storage.stored()}
    assert keys == {"beta"}


def test_whoever_dies_in_between_leaves_the_rest_to_the_next(world: World) -> None:
    filled(world, "acme")
    begun(world, "acme")
    died = 0
    while not go_on(world, "acme", until=0.0):
        with world.database.transaction() as session:
            deletion._remove_batch(session, "acme")  # and then it is gone
        died += 1
        if died > 50:
            assert go_on(world, "acme")
            break
    with world.database.transaction() as session:
        assert session.scalars(select(Profile.id)).all() == []


def test_a_profile_that_is_being_deleted_says_so_and_takes_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles_api, "DELETING_SECONDS", -1.0)
    reply = api.call("DELETE", "/profiles/acme")
    assert reply.status_code == 202 and reply.json["deleting_since"] is not None
    assert api.get("/profiles/acme").json["deleting_since"] is not None
    body = {"caption": "late", "integration_ids": ["int-mastodon"]}
    schedule = {"name": "s", "cron": "* * * * *", "bulk": {**body, "items": [{}]}}
    for refused in (
        api.post("/postiz/publish", body, profile="acme"),
        api.post("/schedules", schedule, profile="acme"),
        api.upload(FILES.png(), profile="acme"),
        api.call("PATCH", "/profiles/acme", json={"name": "again"}),
        api.post("/profiles/acme/resume"),
    ):
        assert (refused.status_code, refused.json["code"]) == (409, "profile_being_deleted")
    again = api.call("DELETE", "/profiles/acme")
    assert again.status_code == 202
    monkeypatch.undo()
    assert api.call("DELETE", "/profiles/acme").status_code == 204
    assert api.get("/profiles/acme").status_code == 404


def test_what_is_too_much_for_the_request_is_gone_on_with_by_the_workers(world: World) -> None:
    filled(world, "acme")
    begun(world, "acme")
    world.until(lambda: gone(world, "acme"))
    sweep.run_sweep(world.runtime)
    assert ("pressroom.remove", 0) not in waiting_tasks(world.runtime)


def gone(world: World, profile_id: str) -> bool:
    with world.database.transaction() as session:
        return session.get(Profile, profile_id) is None


def test_a_draft_that_was_just_made_in_postiz_is_deleted_there_first(world: World) -> None:
    """The call had been chosen before the profile was marked."""
    make_profile(world, "acme", key=KEY)
    ids = make_posts(world, "acme", ["on its way"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    with world.database.transaction() as session:
        session.execute(update(Post).values(state=PostState.PENDING))
    begun(world, "acme")
    with world.database.transaction() as session:
        session.execute(update(Post).values(state=PostState.STAGED))
    world.until(lambda: gone(world, "acme"))
    assert all(post["deleted"] for post in world.sandbox.posts())


def test_a_row_that_somebody_holds_is_come_back_for(world: World) -> None:
    filled(world, "acme")
    begun(world, "acme")
    with world.database.transaction() as holder:
        first = select(Post).order_by(Post.id).limit(1)
        assert holder.scalars(first.with_for_update()).one()
        assert not go_on(world, "acme")
    assert go_on(world, "acme")


def test_deliveries_about_nobody_else_go_too(world: World) -> None:
    filled(world, "acme")
    with world.database.transaction() as session:
        hook = Webhook(url="https://a.example", events=[], secret="s")
        session.add(hook)
        session.flush()
        for about in (["acme"], ["acme", "beta"], ["beta"]):
            told = {"event": "job.completed", "data": {}, "message_id": "m"}
            session.add(Delivery(webhook_id=hook.id, profile_ids=about, **told))
    begun(world, "acme")
    assert go_on(world, "acme")
    with world.database.transaction() as session:
        left = session.scalars(select(Delivery.profile_ids).order_by(Delivery.id)).all()
    assert left == [["acme", "beta"], ["beta"]]


def test_nothing_begins_while_posts_wait_or_are_in_postiz(world: World) -> None:
    make_profile(world, "acme", key=KEY)
    make_posts(world, "acme", ["waits"])
    for state, code in (("pending", "posts_pending"), ("scheduled", "posts_in_postiz")):
        with pytest.raises(Conflict) as caught, world.database.transaction() as session:
            session.execute(text("UPDATE posts SET state = :state"), {"state": state})
            deletion.begin_removal(session, "acme", force=False)
        assert caught.value.code == code
    assert not gone(world, "acme")
