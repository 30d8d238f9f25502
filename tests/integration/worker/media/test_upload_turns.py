"""Uploads are fair: neither many files of one account nor slow ones keep another's waiting."""

import multiprocessing
from collections.abc import Iterator
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from shared.models import AccountMedia, Media
from tests.factories.files import FILES
from tests.factories.media import make_medium
from tests.factories.profiles import KEY, make_profile
from tests.timing.patience import PATIENCE
from tests.workers.runtimes import make_runtime
from tests.workers.world import World
from worker.bulkhead import Bulkhead
from worker.media import upload, upload_turns
from worker.runtime import Runtime

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def two_accounts(two_profiles: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Of which each child begins one upload at a time."""
    monkeypatch.setattr(upload_turns, "SLICE_SECONDS", 0.0)
    return two_profiles


def many_of(world: World, profile_id: str, number: int) -> None:
    """So many files to upload, which have waited for long."""
    first = make_medium(world, profile_id, FILES.png())
    with world.database.transaction() as session:
        account_id = world.account(profile_id).id
        key = session.get_one(Media, first).storage_key
        facts = {"profile_id": profile_id, "storage_key": key, "mime": "image/png", "size": 1}
        media = [Media(**facts) for _ in range(number - 1)]
        session.add_all(media)
        session.flush()
        of_one = {"profile_id": profile_id, "account_id": account_id}
        session.add_all(AccountMedia(media_id=row.id, **of_one) for row in media)
        session.flush()
        ago = func.now() - func.make_interval(0, 0, 0, 0, 1)
        session.execute(update(AccountMedia).values(next_at=ago))


def uploaded(world: World, profile_id: str) -> int:
    with world.database.transaction() as session:
        done = select(func.count()).where(
            AccountMedia.state == "uploaded", AccountMedia.profile_id == profile_id
        )
        return session.scalar(done) or 0


def test_a_single_file_goes_among_the_first_of_many(two_accounts: World, tmp_path: Path) -> None:
    world = two_accounts
    many_of(world, "acme", 150)
    make_medium(world, "other", FILES.png(1))
    for _ in range(3):
        upload_turns.upload_in_turn(world.runtime, Bulkhead(1, tmp_path / "pool"))
    assert uploaded(world, "other") == 1
    assert uploaded(world, "acme") == 2


def test_profiles_of_one_account_take_turns(two_accounts: World, tmp_path: Path) -> None:
    world = two_accounts
    make_profile(world, "small", key=KEY)
    many_of(world, "acme", 20)
    make_medium(world, "small", FILES.png(1))
    for _ in range(2):
        upload_turns.upload_in_turn(world.runtime, Bulkhead(1, tmp_path / "pool"))
    assert uploaded(world, "small") == 1


def holds_a_child(folder: Path, account_id: int, begun: "Queue[bool]", over: Event) -> None:
    """As a long upload does."""
    place = Bulkhead(3, folder).place(None, account_id, suspect=False)  # type: ignore[arg-type]
    with place as admitted:
        begun.put(admitted)
        over.wait()


def uploads(folder: Path, database_url: str, home: Path) -> None:
    runtime = make_runtime(database_url, home)
    upload_turns.upload_in_turn(runtime, Bulkhead(3, folder))
    runtime.close()


@pytest.fixture
def two_children_are_held(two_accounts: World, tmp_path: Path) -> Iterator[Path]:
    """By `acme`, of the three children of a pool; the pool's folder."""
    folder, account_id = tmp_path / "pool", two_accounts.account("acme").id
    begun, over = FORK.Queue(), FORK.Event()
    held = (folder, account_id, begun, over)
    children = [FORK.Process(target=holds_a_child, args=held) for _ in range(2)]
    for child in children:
        child.start()
    assert [begun.get(timeout=PATIENCE) for _ in children] == [True, True]
    yield folder
    over.set()
    for child in children:
        child.join()


def test_slow_files_of_one_account_leave_a_child_to_the_others(
    two_accounts: World, two_children_are_held: Path, tmp_path: Path
) -> None:
    world = two_accounts
    many_of(world, "acme", 5)
    make_medium(world, "other", FILES.png(1))
    url = world.settings.database_url.get_secret_value()
    for _ in range(2):
        child = FORK.Process(target=uploads, args=(two_children_are_held, url, tmp_path))
        child.start()
        child.join(PATIENCE)
        assert child.exitcode == 0
    assert uploaded(world, "other") == 1
    assert uploaded(world, "acme") == 0


def test_an_upload_that_meets_a_fault_of_ours_costs_no_other(
    two_accounts: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = two_accounts
    bad, good = make_medium(world, "acme", FILES.png()), make_medium(world, "other", FILES.png(1))
    bring = upload._transfer_medium

    def fails_for_one(runtime: Runtime, one: upload.Upload, beat: upload.Heartbeat) -> None:
        if one.media_id == bad:
            raise RuntimeError("a fault of ours")
        bring(runtime, one, beat)

    monkeypatch.setattr(upload, "_transfer_medium", fails_for_one)
    monkeypatch.setattr(upload_turns, "SLICE_SECONDS", 60.0)
    upload_turns.upload_in_turn(world.runtime, Bulkhead(1, tmp_path / "pool"))
    assert [world.upload_state(each) for each in (bad, good)] == ["pending", "uploaded"]
