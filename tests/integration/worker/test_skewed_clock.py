"""A machine whose clock is an hour ahead: what it writes is compared with the database's clock."""

import sys
from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from sqlalchemy import func, select

from shared.domain.publishing.states import PostState
from shared.errors import RateLimited, Transient
from shared.models import AccountMedia, Post
from tests.factories.files import FILES
from tests.factories.media import make_medium
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile
from tests.servers.api import Api
from tests.workers.world import World
from worker.accounts import leases
from worker.media import upload

AHEAD = timedelta(hours=1)
SOON = timedelta(minutes=10)


class _Kind(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


class Ahead(datetime, metaclass=_Kind):
    """Tells the time an hour early, and is a `datetime` in all else."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + AHEAD


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in list(sys.modules.items()):
        ours = name.split(".")[0] in {"shared", "worker", "web"}
        if ours and getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", Ahead)


def test_an_account_rests_and_is_blocked_for_as_long_as_it_is_told(
    world: World, ahead: None
) -> None:
    make_profile(world, key=KEY)
    account_id = world.account().id
    until = datetime.now(UTC) + AHEAD + SOON  # as a reply is read on this machine
    for error in (Transient("away"), RateLimited("too many", until=until)):
        with world.database.transaction() as session:
            leases.record_account_failure(session, account_id, error)
    account, now = world.account(), datetime.now(UTC)
    assert account.retry_at is not None and account.retry_at < now + SOON
    assert account.blocked_until is not None
    assert abs(account.blocked_until - now - SOON) < SOON / 2


def test_an_upload_that_failed_is_tried_again_as_soon_as_elsewhere(
    world: World, ahead: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_profile(world, key=KEY)
    make_medium(world, "acme", FILES.png())

    def fails(*_: object) -> None:
        raise Transient("away")

    monkeypatch.setattr(upload, "_transfer_medium", fails)
    with world.database.transaction() as session:
        waiting = session.scalars(select(AccountMedia.id)).one()
    assert upload.upload_medium(world.runtime, waiting)
    with world.database.transaction() as session:
        next_at, now = session.execute(select(AccountMedia.next_at, func.now())).one()
    assert next_at < now + SOON


def test_what_is_published_at_once_is_not_due_in_an_hour(api: Api, ahead: None) -> None:
    body = {"caption": "now", "integration_ids": ["int-mastodon"]}
    bulk = {"items": [{"caption": "now too"}], "integration_ids": ["int-mastodon"]}
    assert api.post("/postiz/publish", body, profile="acme").status_code == 202
    assert api.post("/postiz/bulk-publish", bulk, profile="acme").status_code == 202
    with api.services.database.transaction() as session:
        for publish_at, now in session.execute(select(Post.publish_at, func.now())):
            assert publish_at <= now


def test_posts_go_out_from_such_a_machine_as_from_any(world: World, ahead: None) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["a", "b"])
    world.until_all(PostState.PUBLISHED, ids)
    assert [world.timeline(each)[-1] for each in ids] == ["published", "published"]
