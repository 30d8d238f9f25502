"""A key that is replaced just before the first byte, untold by any broadcast, sends nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.domain.publishing.states import PostState
from tests.factories.files import FILES
from tests.factories.media import make_medium
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile, save_key
from tests.workers.world import World
from worker.media import upload
from worker.media.heartbeat_file import HeartbeatFile
from worker.staging import stage

NEW = "another-key-of-acme"


def after_a_new_key(
    monkeypatch: pytest.MonkeyPatch, world: World, part: Callable[..., Any]
) -> Callable[..., Any]:
    """`part`, the last thing that a call does before it is sent; before it a key is saved, once."""
    left = [NEW]
    monkeypatch.setattr(world.runtime.publishers, "reset", lambda *_: None)

    def prepare(*args: Any, **kwargs: Any) -> Any:
        if left:
            save_key(world, "acme", key=left.pop())
        return part(*args, **kwargs)

    return prepare


def keys_of(world: World, path: str) -> list[str]:
    """Of the calls that brought something new to Postiz."""
    rows = world.sandbox.ledger(kind="request")
    return [row["key"] for row in rows if row["method"] == "POST" and row["path"].endswith(path)]


@pytest.fixture
def acme(world: World) -> World:
    world.sandbox.patch_org("acme", add_keys=[NEW])
    make_profile(world, key=KEY)
    return world


def test_drafts_are_created_with_the_new_key_alone(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = make_posts(acme, "acme", ["one", "two"])
    prepare = after_a_new_key(monkeypatch, acme, stage._find_empty_marker)
    monkeypatch.setattr(stage, "_find_empty_marker", prepare)
    acme.until_all(PostState.PUBLISHED, ids)
    assert keys_of(acme, "/posts") == [NEW]


def test_a_file_is_sent_with_the_new_key_alone(
    acme: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    medium = make_medium(acme, "acme", FILES.png())
    prepare = after_a_new_key(monkeypatch, acme, HeartbeatFile)
    monkeypatch.setattr(upload, "HeartbeatFile", prepare)
    acme.until(lambda: acme.upload_state(medium) == "uploaded")
    assert keys_of(acme, "/upload") == [NEW]
