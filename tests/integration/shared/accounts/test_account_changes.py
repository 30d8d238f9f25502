"""Accounts that change, meet, or are left behind: no post is lost between them."""

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update

from local.sandbox.process import Admin
from shared.accounts.merging import merge_accounts
from shared.domain.publishing.states import PostState
from shared.models import Account, AccountMedia, Integration, Job, Post
from tests.factories.media import make_medium
from tests.factories.posts import make_due, make_posts
from tests.factories.profiles import KEY, make_profile, save_key
from tests.workers.world import World
from worker import sweep
from worker.staging import submissions
from worker.staging.stage import _run_call as make_call

OTHER = "key-of-the-other"
MASTODON = {"id": "int-other", "name": "Other Masto", "identifier": "mastodon"}


def other_org(sandbox: Admin, *integrations: dict[str, Any]) -> None:
    sandbox.create_org("other", keys=[OTHER, "second"], integrations=integrations)


def counted(world: World) -> int:
    rows = world.sandbox.ledger(kind="request")
    return sum(row["method"] == "POST" and row["path"].endswith("/posts") for row in rows)


def test_posts_that_were_in_a_call_follow_their_profile_to_its_new_account(world: World) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["in mid-call"])
    call = submissions.prepare_call(world.runtime, world.account().id)
    assert call is not None
    world.sandbox.patch_org("acme", integrations={}, add_keys=["another key"])
    other_org(world.sandbox, MASTODON)
    save_key(world, "acme", key=OTHER)  # another organization, while the call is under way
    make_call(world.runtime, call)
    save_key(world, "acme", key="another key")  # and back, by another key
    world.until_all(PostState.PUBLISHED, ids)
    assert [send["content"] for send in world.sandbox.sends()] == ["in mid-call"]


def test_another_organizations_key_burns_no_budget_and_a_way_back_is_left(world: World) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", [f"clip {n}" for n in range(8)], in_seconds=3600)
    world.until_all(PostState.STAGED, ids)
    other_org(world.sandbox, MASTODON)
    before = counted(world)
    save_key(world, "acme", key=OTHER)
    world.until(lambda: world.post(ids[0]).error_code == "other_account")
    for _ in range(5):
        sweep.run_sweep(world.runtime)
        world.work()
    assert counted(world) == before
    assert set(world.states(ids)) == {PostState.PENDING}
    save_key(world, "acme", key=KEY)
    world.until_all(PostState.STAGED, ids)
    assert world.post(ids[0]).error_code is None
    world.until(lambda: len(alive_drafts(world)) == len(ids))  # the first drafts are deleted


def test_why_a_post_waits_is_taken_off_when_it_is_no_longer_so(world: World) -> None:
    """Though it goes on waiting, for its time."""
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["next week"], in_seconds=7 * 86_400)
    other_org(world.sandbox, MASTODON)
    save_key(world, "acme", key=OTHER)
    world.until(lambda: world.post(ids[0]).error_code == "other_account")
    save_key(world, "acme", key=KEY)
    world.until(lambda: world.post(ids[0]).error_code is None)
    assert world.states(ids) == [PostState.PENDING]


def alive_drafts(world: World) -> list[dict[str, Any]]:
    return [post for post in world.sandbox.posts() if not post["deleted"]]


def test_two_accounts_that_turn_out_to_be_one_organization_become_one(world: World) -> None:
    other_org(world.sandbox)  # no channel yet: nothing tells that both keys are of one
    make_profile(world, "one", key=OTHER)
    make_profile(world, "two", key="second")
    assert world.account("one").id != world.account("two").id
    world.sandbox.patch_org("other", add_integrations=[MASTODON])
    ids = make_posts(world, "one", ["from one"], integration="int-other")
    ids += make_posts(world, "two", ["from two"], integration="int-other")
    save_key(world, "one", key=OTHER)
    save_key(world, "two", key="second")
    assert world.account("one").id == world.account("two").id
    world.until_all(PostState.PUBLISHED, ids)
    with world.database.transaction() as session:
        listed = session.scalars(select(Integration.account_id).distinct()).all()
        left_behind = session.scalar(
            select(func.count()).where(Post.account_id != world.account("one").id)
        )
        accounts = session.scalar(select(func.count()).select_from(Account))
    assert len(listed) == 1
    assert left_behind == 0
    assert accounts == 2  # the empty one stays, for what still names it


def test_of_two_accounts_that_become_one_the_more_careful_wishes_stay(world: World) -> None:
    with world.database.transaction() as session:
        winner = Account(server="s", key_hash="a", limit_override=20)
        loser = Account(server="s", key_hash="b", limit_override=10, budget_reserve=4)
        winner.rule_overrides = {"x": {"characters": 4000}}
        loser.rule_overrides = {"x": {"characters": 1000}, "tiktok": {"posts_per_day": 20}}
        session.add_all([winner, loser])
        session.flush()
        merge_accounts(session, loser.id, winner)
        assert (winner.limit_override, winner.budget_reserve) == (10, 4)
        assert winner.rule_overrides == {
            "x": {"characters": 4000},
            "tiktok": {"posts_per_day": 20},
        }


def test_a_call_that_is_charged_while_two_accounts_become_one_is_not_forgotten(
    world: World,
) -> None:
    with world.database.transaction() as session:
        session.add_all(
            Account(server="s", key_hash=name, budget_used=used)
            for name, used in (("winner", 5), ("loser", 3))
        )
    with world.database.transaction() as session:
        names = {row.key_hash: row for row in session.scalars(select(Account))}
        with world.database.transaction() as worker:  # it makes calls of both meanwhile
            worker.execute(update(Account).values(budget_used=Account.budget_used + 1))
        merge_accounts(session, names["loser"].id, names["winner"])
    with world.database.transaction() as session:
        [winner] = session.scalars(select(Account).where(Account.key_hash == "winner"))
        assert winner.budget_used == 5 + 1 + 3 + 1


def test_a_key_rotated_while_postiz_is_away_moves_nothing(world: World) -> None:
    """Nobody could say whose key it is: the drafts wait where they are, and are released later."""
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["staged before"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    account_id, before = world.account().id, counted(world)
    world.sandbox.patch_org("acme", add_keys=["rotated"])
    world.sandbox.add_fault("empty_401", times=3)
    save_key(world, "acme", key="rotated")
    assert world.account().id != account_id
    assert world.states(ids) == [PostState.STAGED]
    make_due(world, ids)
    world.until_all(PostState.PUBLISHED, ids)
    assert world.account().id == account_id
    assert counted(world) == before


def test_a_pause_at_the_last_moment_holds_a_post_back(world: World) -> None:
    make_profile(world, key=KEY)
    ids = make_posts(world, "acme", ["wait"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    make_due(world, ids)
    one = world.claim_release()
    pause(world, one.post_id, paused=True)  # between the claim and the call
    world.send_release(one)
    assert world.states(ids) == [PostState.STAGED]
    assert world.sandbox.sends() == []
    pause(world, ids[0], paused=False)
    world.until_all(PostState.PUBLISHED, ids)


def pause(world: World, post_id: int, *, paused: bool) -> None:
    with world.database.transaction() as session:
        job = session.get_one(Job, session.get_one(Post, post_id).job_id)
        job.paused = paused


def test_an_upload_that_was_under_way_follows_its_profile(world: World) -> None:
    """Its worker is gone, and its profile elsewhere by the time that anybody notices."""
    make_profile(world, key=KEY)
    medium = make_medium(world, "acme", b"\x89PNG\r\n\x1a\n" + bytes(2000))
    with world.database.transaction() as session:
        gone = {"state": "uploading", "lease_until": func.now() - timedelta(seconds=1)}
        other_org(world.sandbox, MASTODON)
        session.execute(update(AccountMedia).values({**gone, "lease_until": None}))
    save_key(world, "acme", key=OTHER)
    with world.database.transaction() as session:
        session.execute(update(AccountMedia).values(gone))
    world.until(lambda: world.upload_state(medium) == "uploaded")
    with world.database.transaction() as session:
        [row] = session.scalars(select(AccountMedia))
        assert row.account_id == world.account().id
