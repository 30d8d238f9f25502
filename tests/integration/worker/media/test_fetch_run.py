"""Files from addresses: a profile's slow sources delay neither others' files nor any upload."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import func, select

from shared.intake import job_creation
from shared.media import repository
from shared.models import Account, AccountMedia, Media, Profile
from shared.net import download
from tests.factories.files import FILES
from tests.factories.media import make_medium
from tests.servers.raw_server import Dripping, RawServer, answering, head
from tests.timing.patience import wait_until
from tests.workers.world import World
from worker.media import fetch_run, upload

SLOW = head("Content-Type: video/mp4", "Content-Length: 100000000") + FILES.mp4()[:512]


def quick(shade: int) -> list[bytes]:
    content = FILES.png(shade)
    return [head(f"Content-Length: {len(content)}"), content]


def from_address(world: World, profile_id: str, url: str) -> int:
    with world.database.transaction() as session:
        medium = repository.add_url(session, profile_id, url)
        account = session.get_one(Account, session.get_one(Profile, profile_id).account_id)
        wanted = [job_creation.Upload(media_id=medium.id)]
        job_creation.accept_uploads(session, profile_id, account, wanted, kind="upload")
        return medium.id


def upload_row(world: World, media_id: int) -> AccountMedia:
    with world.database.transaction() as session:
        return session.scalars(select(AccountMedia).where(AccountMedia.media_id == media_id)).one()


def is_fetched(world: World, media_id: int) -> bool:
    with world.database.transaction() as session:
        return session.get_one(Media, media_id).storage_key is not None


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def dripping(servers: ExitStack) -> Iterator[tuple[Dripping, RawServer]]:
    drip = Dripping(SLOW)
    yield drip, servers.enter_context(answering(drip))
    drip.over.set()


def test_slow_sources_of_one_profile_delay_nobody_else(
    two_profiles: World, servers: ExitStack, dripping: tuple[Dripping, RawServer]
) -> None:
    world, (drip, slow) = two_profiles, dripping
    addresses = [f"{slow.url}/{number}" for number in range(fetch_run.THREADS + 1)]
    bad = [from_address(world, "acme", each) for each in addresses]
    run = threading.Thread(target=fetch_run.fetch_waiting, args=(world.runtime,))
    run.start()
    wait_until(lambda: slow.requests > 0)
    source = servers.enter_context(answering(quick(3)))
    fetched = from_address(world, "other", source.url)
    given = [make_medium(world, who, FILES.png(n)) for n, who in ((4, "other"), (5, "acme"))]
    wait_until(lambda: is_fetched(world, fetched))
    world.until(lambda: all(world.upload_state(each) == "uploaded" for each in (fetched, *given)))
    assert slow.requests == 1
    assert [world.upload_state(each) for each in bad].count("uploading") == 1
    drip.over.set()
    run.join(60)
    assert not run.is_alive()
    assert not any(is_fetched(world, each) for each in bad)


def test_two_pools_fetch_one_file_of_a_profile_at_a_time(
    two_profiles: World, servers: ExitStack, dripping: tuple[Dripping, RawServer]
) -> None:
    world, (drip, slow) = two_profiles, dripping
    first = from_address(world, "acme", slow.url)
    second = from_address(world, "acme", servers.enter_context(answering(quick(1))).url)
    row = upload_row(world, first)
    run = threading.Thread(target=fetch_run.fetch_medium, args=(world.runtime, row.id, "acme"))
    run.start()
    wait_until(lambda: slow.requests > 0)
    fetch_run.fetch_waiting(world.runtime)
    fetch_run.fetch_medium(world.runtime, upload_row(world, second).id, "acme")
    assert not is_fetched(world, second)
    drip.over.set()
    run.join()
    world.until(lambda: world.upload_state(second) == "uploaded")


def test_a_fetched_file_waits_for_its_upload_and_has_lost_no_attempt(
    two_profiles: World, servers: ExitStack
) -> None:
    world = two_profiles
    medium = from_address(world, "acme", servers.enter_context(answering(quick(2))).url)
    before = upload_row(world, medium)
    assert not upload.upload_medium(world.runtime, before.id)
    fetch_run.fetch_waiting(world.runtime)
    after = upload_row(world, medium)
    assert (after.state, after.attempts) == ("pending", before.attempts)
    world.until(lambda: world.upload_state(medium) == "uploaded")


def test_a_source_that_is_too_slow_is_tried_later(
    two_profiles: World, dripping: tuple[Dripping, RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, (_, slow) = two_profiles, dripping
    monkeypatch.setattr(download, "PACE_SECONDS", 0.5)
    monkeypatch.setattr(upload, "backoff_seconds", lambda _attempts: 60.0)  # chance may give none
    medium = from_address(world, "acme", slow.url)
    fetch_run.fetch_waiting(world.runtime)
    row = upload_row(world, medium)
    assert (row.state, row.error_code) == ("pending", "unfetchable")
    assert row.error_message is not None
    assert "too slow" in row.error_message
    with world.database.transaction() as session:
        assert row.next_at > session.scalars(select(func.now())).one()
        assert session.scalar(select(Account.failures).where(Account.id == row.account_id)) == 0
