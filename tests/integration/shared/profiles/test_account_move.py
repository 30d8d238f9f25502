"""What was never released follows its profile to another account, in batches of its own."""

from collections.abc import Collection

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.domain.publishing.states import PostState
from shared.media import upload_queue
from shared.models import AccountMedia, Post, Profile
from shared.profiles import account_move
from tests.factories.files import FILES
from tests.factories.media import make_medium
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, OTHER, make_profile, save_key
from tests.workers.world import World
from worker import sweep
from worker.profiles import account_moves

MANY = 25


@pytest.fixture
def two_organizations(two_profiles: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(account_move, "BATCH", 10)
    return two_profiles


def by_account(world: World, profile_id: str) -> dict[int, int]:
    with world.database.transaction() as session:
        of_profile = select(Post.account_id, func.count()).where(Post.profile_id == profile_id)
        return dict(session.execute(of_profile.group_by(Post.account_id)).all())


def test_a_change_of_keys_moves_a_batch_and_the_sweep_the_rest(two_organizations: World) -> None:
    world = two_organizations
    old, new = world.account("acme").id, world.account("other").id
    make_posts(world, "acme", [f"{n}" for n in range(MANY)], in_seconds=600)
    save_key(world, "acme", key=OTHER)
    assert by_account(world, "acme") == {new: 10, old: MANY - 10}
    sweep.run_sweep(world.runtime)
    assert by_account(world, "acme") == {new: MANY}


def test_what_is_due_first_goes_first_and_staged_posts_are_staged_anew(
    two_organizations: World,
) -> None:
    world = two_organizations
    late = make_posts(world, "acme", [f"late {n}" for n in range(10)], in_seconds=900)
    soon = make_posts(world, "acme", ["soon"], in_seconds=300)
    staged = make_posts(world, "acme", ["staged"], in_seconds=200)
    with world.database.transaction() as session:
        session.execute(update(Post).where(Post.id.in_(staged)).values(state=PostState.STAGED))
    save_key(world, "acme", key=OTHER)
    new = world.account("other").id
    assert [world.post(each).account_id for each in (*soon, *staged)] == [new, new]
    assert world.states(staged) == [PostState.PENDING]
    assert "account_changed" in world.timeline(staged[0])
    assert [world.post(each).account_id for each in late].count(new) == 8, "they are due alike"


def test_a_post_that_somebody_holds_is_come_back_for(two_organizations: World) -> None:
    world = two_organizations
    ids = make_posts(world, "acme", ["held", "free"], in_seconds=600)
    new = world.account("other").id
    with world.database.transaction() as holder:
        holder.scalars(select(Post).where(Post.id == ids[0]).with_for_update()).one()
        save_key(world, "acme", key=OTHER)
        assert [world.post(each).account_id == new for each in ids] == [False, True]
        sweep.run_sweep(world.runtime)
        assert [world.post(each).account_id == new for each in ids] == [False, True]
    sweep.run_sweep(world.runtime)
    assert [world.post(each).account_id for each in ids] == [new, new]


def test_a_profile_that_cannot_be_moved_keeps_no_other(
    two_organizations: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = two_organizations
    make_profile(world, "bad", key=KEY)
    for name in ("bad", "acme"):
        make_posts(world, name, ["a"], in_seconds=600)
    new = world.account("other").id
    with world.database.transaction() as session:
        both = update(Profile).where(Profile.id.in_(("bad", "acme")))
        session.execute(both.values(account_id=new))
    want = upload_queue.request_uploads

    def fails_for_one(
        session: Session, media: Collection[int], profile_id: str, account: int
    ) -> object:
        return 1 / 0 if profile_id == "bad" else want(session, media, profile_id, account)

    monkeypatch.setattr(upload_queue, "request_uploads", fails_for_one)
    account_moves.continue_moves(world.runtime)
    assert by_account(world, "acme") == {new: 1}
    assert new not in by_account(world, "bad")


def test_uploads_that_wait_go_along(two_organizations: World) -> None:
    world = two_organizations
    media = [make_medium(world, "acme", FILES.png(number)) for number in range(12)]
    save_key(world, "acme", key=OTHER)
    sweep.run_sweep(world.runtime)
    with world.database.transaction() as session:
        rows = session.execute(select(AccountMedia.media_id, AccountMedia.account_id)).all()
    new = world.account("other").id
    assert sorted(tuple(row) for row in rows) == [(each, new) for each in sorted(media)]
