"""Media that nothing needs any more are removed, and never one that something does."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from shared.domain.publishing.states import PostState
from shared.errors import Unprocessable
from shared.media import repository, unused_media, upload_queue
from shared.media.ingest import Receiver
from shared.models import AccountMedia, Job, JobMedia, Media, Post
from shared.storage import file_lock
from shared.storage.filesystem import FolderStorage
from tests.factories.files import FILES
from tests.factories.media import make_medium
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile
from tests.factories.schedules import build_schedule
from tests.workers.world import World
from worker.retention import clean

OLD = timedelta(days=91)
DAYS = 90.0


def stored(world: World, content: bytes = b"", *, used: timedelta = OLD) -> int:
    """A medium that was uploaded and used last so long ago, and is in Postiz."""
    medium = make_medium(world, "acme", content or FILES.png())
    with world.database.transaction() as session:
        session.execute(update(Media).values(used_at=func.now() - used))
        session.execute(update(AccountMedia).values(state="uploaded"))
        session.execute(update(Job).values(finished_at=func.now() - used))
    return medium


def row(world: World, medium: int) -> Media:
    with world.database.transaction() as session:
        return session.get_one(Media, medium)


def exists(world: World, medium: int) -> bool:
    key = row(world, medium).storage_key
    return key is not None and world.runtime.storage.exists(key)


def sweep(world: World) -> None:
    clean.remove_unused_files(world.runtime, float("inf"))


def bring(world: World, content: bytes) -> tuple[int, bool]:
    with world.runtime.storage.receive() as incoming:
        receiver = Receiver(incoming)
        receiver.write(content)
        received = receiver.finish()
        with world.database.transaction() as session:
            found, twin = repository.add_file(session, world.runtime.storage, "acme", received)
            return found.id, twin


@pytest.fixture(autouse=True)
def acme(world: World) -> None:
    make_profile(world, key=KEY)


def test_an_unused_file_goes_and_its_row_stays_while_a_job_shows_it(world: World) -> None:
    medium = stored(world)
    key = row(world, medium).storage_key
    sweep(world)
    assert key is not None
    assert not world.runtime.storage.exists(key)
    assert (row(world, medium).storage_key, row(world, medium).removed_at is None) == (None, False)
    with world.database.transaction() as session:
        assert repository.find_media(session, "acme", [str(medium)]) == {}


def test_the_row_goes_with_the_file_where_no_job_shows_it(world: World) -> None:
    medium = stored(world)
    with world.database.transaction() as session:
        session.query(JobMedia).delete()
    sweep(world)
    with world.database.transaction() as session:
        assert session.get(Media, medium) is None
        assert session.scalars(select(AccountMedia)).all() == []


def test_what_was_used_lately_stays(world: World) -> None:
    medium = stored(world, used=timedelta(days=89))
    sweep(world)
    assert exists(world, medium)


def test_for_ever_is_for_ever(world: World) -> None:
    medium = stored(world)
    world.runtime.settings = world.settings.model_copy(update={"media_retention_days": 0})
    sweep(world)
    assert exists(world, medium)


NEEDED = [*set(PostState) - {PostState.PUBLISHED, PostState.CANCELLED, PostState.DRAFT}]


@pytest.mark.parametrize("state", sorted(NEEDED))
def test_what_a_post_needs_stays_and_is_looked_at_again_later(
    world: World, state: PostState
) -> None:
    medium = stored(world)
    [post] = make_posts(world, "acme", ["x"], media_ids=[medium])
    tracked = func.now() + timedelta(days=200) if state is PostState.SCHEDULED else None
    with world.database.transaction() as session:
        session.execute(update(Post).where(Post.id == post).values(state=state, track_at=tracked))
    sweep(world)
    assert exists(world, medium)
    with world.database.transaction() as session:
        fresh = Media.used_at > func.now() - timedelta(minutes=5)
        assert session.scalar(select(Media.id).where(fresh)) == medium


@pytest.mark.parametrize("state", [PostState.PUBLISHED, PostState.CANCELLED, PostState.DRAFT])
def test_what_only_ended_posts_used_goes(world: World, state: PostState) -> None:
    medium = stored(world)
    make_posts(world, "acme", ["x"], media_ids=[medium])
    with world.database.transaction() as session:
        session.execute(update(Post).values(state=state))
    sweep(world)
    assert not exists(world, medium)


def test_what_a_playlist_needs_stays(world: World) -> None:
    medium = stored(world)
    with world.database.transaction() as session:
        session.add(build_schedule([medium]))
    sweep(world)
    assert exists(world, medium)


def test_what_an_upload_waits_for_stays(world: World) -> None:
    medium = stored(world)
    with world.database.transaction() as session:
        session.execute(update(AccountMedia).values(state="pending"))
    sweep(world)
    assert exists(world, medium)


def test_more_media_that_are_needed_than_fit_a_batch_hide_none_that_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unused_media, "BATCH", 2)
    needed = [stored(world, FILES.png(shade)) for shade in range(3)]
    make_posts(world, "acme", ["x"], media_ids=needed)
    unused = stored(world, FILES.png(9))
    sweep(world)
    assert [exists(world, each) for each in (*needed, unused)] == [True, True, True, False]


def test_a_post_that_is_being_accepted_keeps_its_medium(world: World) -> None:
    medium = stored(world)
    account = world.account().id
    with world.database.transaction() as accepting:
        upload_queue.request_uploads(accepting, [medium], "acme", account)
        sweep(world)  # meanwhile
        assert exists(world, medium)
    sweep(world)
    assert exists(world, medium)


def test_a_medium_that_is_being_removed_is_refused_to_a_post(world: World) -> None:
    medium, account = stored(world), world.account().id
    refused: list[str] = []

    def accept() -> None:
        try:
            with world.database.transaction() as session:
                upload_queue.request_uploads(session, [medium], "acme", account)
        except Unprocessable as error:
            refused.append(error.message)

    with world.database.transaction() as removing:
        assert unused_media.mark_removed(removing, DAYS) == 1
        thread = threading.Thread(target=accept)
        thread.start()
        thread.join(timeout=0.5)
        assert thread.is_alive()  # it waits for what becomes of the medium
    thread.join()
    assert refused == [f"These media were removed, upload them again: {medium}"]


@pytest.mark.parametrize("file_is_gone", [False, True])
def test_a_file_that_is_brought_again_is_there_again(world: World, file_is_gone: bool) -> None:
    medium = stored(world)
    with world.database.transaction() as session:
        unused_media.mark_removed(session, DAYS)
    if file_is_gone:
        sweep(world)
    assert bring(world, FILES.png()) == (medium, True)
    sweep(world)
    assert exists(world, medium)
    assert row(world, medium).removed_at is None
    with world.database.transaction() as session:
        assert str(medium) in repository.find_media(session, "acme", [str(medium)])


def test_a_file_that_is_brought_while_it_is_being_deleted_is_there_in_the_end(
    world: World,
) -> None:
    medium = stored(world)
    key = row(world, medium).storage_key
    assert key is not None
    with world.database.transaction() as session:
        unused_media.mark_removed(session, DAYS)
    with world.database.transaction() as deleting:
        file_lock.lock_key(deleting, key)
        thread = threading.Thread(target=lambda: bring(world, FILES.png()))
        thread.start()
        thread.join(timeout=0.5)
        assert thread.is_alive()
        assert file_lock.remove_locked(deleting, world.runtime.storage, key)
    thread.join()
    unused_media.remove_file(world.database, world.runtime.storage, key)  # it had been told to
    assert exists(world, medium)


def test_a_file_stays_for_the_twin_that_needs_it(world: World) -> None:
    medium = stored(world)
    key = row(world, medium).storage_key
    with world.database.transaction() as session:
        twin = Media(profile_id="acme", storage_key=key, source_url="http://a.b/c")
        session.add(twin)
        session.flush()
    sweep(world)
    assert row(world, medium).storage_key is None
    assert exists(world, twin.id)
    with world.database.transaction() as session:
        session.execute(update(Media).values(used_at=func.now() - OLD))
    sweep(world)
    assert key is not None
    assert not world.runtime.storage.exists(key)


def put(world: World, key: str, *, hours: float, set_age: Callable[[str, float], None]) -> None:
    with world.runtime.storage.receive() as incoming:
        incoming.write(FILES.png())
        incoming.keep(key)
    set_age(key, hours)


def test_files_without_a_row_go_once_they_are_old(
    world: World, set_age: Callable[[str, float], None]
) -> None:
    medium = stored(world)
    key = row(world, medium).storage_key
    assert key is not None
    set_age(key, 48)
    put(world, "acme/ab/old", hours=7, set_age=set_age)
    put(world, "acme/ab/young", hours=5, set_age=set_age)
    assert clean.remove_orphan_files(world.runtime, float("inf")) == 1
    storage = world.runtime.storage
    there = [storage.exists(each) for each in (key, "acme/ab/old", "acme/ab/young")]
    assert there == [True, False, True]


def test_an_orphan_that_gets_a_row_at_that_moment_stays(
    world: World, set_age: Callable[[str, float], None]
) -> None:
    medium = stored(world)
    key = row(world, medium).storage_key
    assert key is not None
    with world.database.transaction() as session:
        session.query(JobMedia).delete()
        session.query(AccountMedia).delete()
        session.query(Media).delete()
    set_age(key, 48)
    removed: list[int] = []
    with world.runtime.storage.receive() as incoming:
        receiver = Receiver(incoming)
        receiver.write(FILES.png())
        received = receiver.finish()
        with world.database.transaction() as bringing:
            repository.add_file(bringing, world.runtime.storage, "acme", received)
            look = lambda: removed.append(clean.remove_orphan_files(world.runtime, float("inf")))  # noqa: E731
            thread = threading.Thread(target=look)
            thread.start()
            thread.join(timeout=0.5)
            assert thread.is_alive()
    thread.join()
    assert removed == [0]
    assert world.runtime.storage.exists(key)


def test_a_row_without_its_file_is_reported(
    world: World,
) -> None:
    medium = stored(world)
    assert clean.report_missing_files(world.runtime) == 0
    key = row(world, medium).storage_key
    assert key is not None
    world.runtime.storage.delete(key)
    assert clean.report_missing_files(world.runtime) == 1


def test_cleaning_is_done_once_an_hour_however_often_it_is_asked_for(world: World) -> None:
    medium = stored(world)
    clean.run_cleanup_if_due(world.runtime)
    assert not exists(world, medium)
    other = stored(world, FILES.png(2))
    clean.run_cleanup_if_due(world.runtime)
    assert exists(world, other)


@pytest.fixture
def set_age(world: World) -> Callable[[str, float], None]:
    import os
    import time

    def change(key: str, hours: float) -> None:
        storage = world.runtime.storage
        assert isinstance(storage, FolderStorage)
        path = storage._path_of(key)
        os.utime(path, (time.time() - hours * 3600,) * 2)

    return change
