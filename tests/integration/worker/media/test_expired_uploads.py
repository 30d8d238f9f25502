"""Uploads that are not finished in time end with their bytes; of others every byte stays."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from shared.errors import StorageAway
from shared.models import IncomingUpload
from shared.uploads import incoming_uploads
from tests.factories.profiles import KEY, make_profile
from tests.timing.patience import PATIENCE
from tests.workers.world import World
from worker import due_work, sweep
from worker.media import expired_uploads
from worker.retention import clean

BUSY = {"lease_until": func.now() + timedelta(seconds=60)}
FINISHED = {"finished_at": func.now()}


def add(world: World, owner: str, *, expired: bool, **values: object) -> None:
    """With a piece of it in the storage."""
    world.runtime.storage.pieces.put(owner, "piece", b"x")
    expires_at = func.now() + timedelta(seconds=-1 if expired else 60)
    fixed = {"profile_id": "acme", "kind": "resumable", "size": 9}
    with world.database.transaction() as session:
        session.add(IncomingUpload(owner=owner, expires_at=expires_at, **fixed, **values))


def owners(world: World) -> tuple[set[str], set[str]]:
    """Of rows, and of bytes."""
    with world.database.transaction() as session:
        rows = set(session.scalars(select(IncomingUpload.owner)))
    return rows, set(world.runtime.storage.pieces.owners())


def is_due(world: World) -> bool:
    [query] = due_work.rescue_queries(60, 60)["expire_uploads"]
    with world.database.transaction() as session:
        return bool(session.scalars(query).all())


def test_an_expired_upload_ends_with_its_bytes_unless_somebody_sends_to_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_profile(world, key=KEY)
    add(world, "open", expired=False)
    add(world, "busy", expired=True, **BUSY)
    assert not is_due(world)
    add(world, "expired", expired=True)
    add(world, "medium", expired=True, **FINISHED)
    assert is_due(world)
    sweep.run_sweep(world.runtime)
    assert not is_due(world)
    assert owners(world) == ({"open", "busy"}, {"open", "busy"})
    add(world, "expired", expired=True)

    def refuse(_: str) -> None:
        raise StorageAway("it is away")

    with monkeypatch.context() as away:
        away.setattr(world.runtime.storage.pieces, "remove_all", refuse)
        sweep.run_sweep(world.runtime)
    assert owners(world) == ({"open", "busy"}, {"open", "busy", "expired"})
    clean.run_cleanup_if_due(world.runtime)
    assert owners(world) == ({"open", "busy"}, {"open", "busy"})


def test_bytes_that_a_stopped_process_left_are_removed(world: World, tmp_path: Path) -> None:
    make_profile(world, key=KEY)
    add(world, "open", expired=False)
    add(world, "medium", expired=False, **FINISHED)
    world.runtime.storage.pieces.put("nobody", "piece", b"x")
    assert expired_uploads.remove_left_bytes(world.runtime) == 2
    assert owners(world) == ({"open", "medium"}, {"open"})


def test_bytes_whose_row_is_being_made_are_waited_for(world: World) -> None:
    make_profile(world, key=KEY)
    with world.database.transaction() as making:
        incoming_uploads.announce_bytes(making)
        world.runtime.storage.pieces.put("new", "piece", b"x")
        cleaning = threading.Thread(
            target=lambda: expired_uploads.remove_left_bytes(world.runtime), daemon=True
        )
        cleaning.start()
        cleaning.join(0.3)
        fixed = {"profile_id": "acme", "kind": "direct", "size": 9}
        expires_at = func.now() + timedelta(seconds=60)
        making.add(IncomingUpload(owner="new", expires_at=expires_at, **fixed))
    cleaning.join(PATIENCE)
    assert owners(world) == ({"new"}, {"new"})
