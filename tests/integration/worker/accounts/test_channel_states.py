"""A channel that cannot publish: its posts wait for it, and go on by themselves when it is back."""

import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from shared.accounts import channel_states, identity
from shared.approvals import decisions
from shared.domain.networks.channel_states import NOT_READY, ChannelState
from shared.domain.publishing.states import PostState
from shared.models import Account, Delivery, Integration, Post, Webhook
from shared.posts import bulk_edits
from shared.posts.bulk_edits import BulkEdit
from shared.posts.edits import Edit
from shared.profiles import account_move
from tests.factories.posts import make_posts
from tests.workers.world import World
from worker import sweep
from worker.staging import channel_watch

pytestmark = pytest.mark.usefixtures("a_profile")
TIRED = "int-tired"


def channel(world: World, channel_id: str = TIRED) -> Integration:
    with world.database.transaction() as session:
        return session.scalars(select(Integration).where(Integration.id == channel_id)).one()


def connect(world: World, **values: Any) -> None:
    known = {"refresh_needed": False, **values}
    world.sandbox.patch_org("acme", integrations={TIRED: known})


def let_pass(world: World, **values: Any) -> None:
    """Until a trial is due, or the list is."""
    long_ago = func.now() - timedelta(days=1)
    with world.database.transaction() as session:
        session.execute(
            update(Integration).values(trial_at=long_ago).where(Integration.trial_at.is_not(None))
        )
        session.execute(update(Account).values(integrations_seen_at=long_ago))


def all_wait(world: World, ids: list[int]) -> bool:
    posts = [world.post(post_id) for post_id in ids]
    return all(post.error_code == NOT_READY and post.waits_for for post in posts)


def sent(world: World) -> list[str]:
    return sorted(send["content"] for send in world.sandbox.sends())


def listen(world: World) -> None:
    with world.database.transaction() as session:
        events = ["channel.not_ready", "channel.ready", "post.failed"]
        session.add(Webhook(url="http://127.0.0.1:9/", events=events, secret=b"sealed"))


def told(world: World) -> list[tuple[str, Any]]:
    with world.database.transaction() as session:
        rows = session.scalars(select(Delivery).order_by(Delivery.id)).all()
        return [(row.event, row.data["integration"]["id"]) for row in rows]


def test_posts_wait_for_their_channel_and_go_on_when_it_is_connected_again(world: World) -> None:
    listen(world)
    tired = make_posts(world, "acme", ["one", "two", "three"], integration=TIRED)
    sound = make_posts(world, "acme", ["sound"])
    world.until_all(PostState.PUBLISHED, sound)
    world.until(lambda: all_wait(world, tired))
    assert sent(world) == ["sound"]
    assert channel(world).state == ChannelState.RECONNECT_NEEDED
    connect(world, picture="http://127.0.0.1/another.png")
    let_pass(world)
    world.until_all(PostState.PUBLISHED, tired)
    assert sent(world) == ["one", "sound", "three", "two"]
    expected = [("channel.not_ready", TIRED), ("channel.ready", TIRED)]
    world.until(lambda: told(world) == expected)


def test_one_post_is_tried_where_postiz_says_nothing(world: World) -> None:
    tired = make_posts(world, "acme", ["one", "two", "three"], integration=TIRED)
    world.until(lambda: all_wait(world, tired))
    time.sleep(5)  # the refusals of the others are none of the trial's
    with world.database.transaction() as session:
        session.execute(update(Integration).values(trial_at=func.now()))
        channel_states.try_channels(session)
        waiting = session.scalars(select(Post.waits_for).order_by(Post.publish_at, Post.id)).all()
    assert [bool(name) for name in waiting] == [False, True, True]
    world.until(lambda: all_wait(world, tired))
    assert channel(world).trials == 1
    assert (channel(world).trial_at or 0) > channel(world).state_since  # type: ignore[operator]
    connect(world)
    let_pass(world)
    world.until_all(PostState.PUBLISHED, tired)
    assert sent(world) == ["one", "three", "two"]


def test_a_channel_that_is_gone_is_waited_for(world: World) -> None:
    ids = make_posts(world, "acme", ["away"])
    world.sandbox.patch_org("acme", integrations={"int-mastodon": {"deleted": True}})
    world.until(lambda: all_wait(world, ids))
    assert channel(world, "int-mastodon").state == ChannelState.GONE
    assert world.states(ids) == [PostState.PENDING]
    let_pass(world)
    world.until(lambda: not channel_watch_due(world))
    world.sandbox.patch_org("acme", integrations={"int-mastodon": {"deleted": False}})
    let_pass(world)
    world.until_all(PostState.PUBLISHED, ids)


def channel_watch_due(world: World) -> bool:
    with world.database.transaction() as session:
        return bool(channel_watch.find_due_accounts(session))


def test_a_post_that_may_have_been_sent_is_left_to_a_person(world: World) -> None:
    """Another post of the channel ends at the same time, and Postiz speaks of one of the two."""
    world.sandbox.patch_org("acme", integrations={TIRED: {"refresh_needed": False}})
    silent: dict[str, Any] = {"integration": TIRED, "contains": "unknown", "notify_after": None}
    world.sandbox.add_fault("publish_error", **silent)
    [unknown] = make_posts(world, "acme", ["unknown"], integration=TIRED)
    world.until(lambda: world.post(unknown).error_at is not None)
    world.sandbox.patch_org("acme", integrations={TIRED: {"refresh_needed": True}})
    [refused] = make_posts(world, "acme", ["refused"], integration=TIRED)
    world.until(lambda: world.post(refused).error_code in {NOT_READY, "reconnect_channel"})
    world.until_all(PostState.FAILED, [unknown])
    assert world.states([unknown]) == [PostState.FAILED]
    assert "rescheduling" not in world.timeline(unknown)
    assert "refused_before_sending" not in world.timeline(unknown)


def test_what_is_listed_decides_but_for_what_the_list_does_not_say(world: World) -> None:
    with world.database.transaction() as session:
        account = session.get_one(Account, world.account().id)
        channel_states.mark_not_ready(
            session, account.id, TIRED, ChannelState.RECONNECT_NEEDED, "sign in"
        )
    let_pass(world)
    assert not channel_watch_due(world)  # nothing waits for it
    [waiting] = make_posts(world, "acme", ["waits"], integration=TIRED)
    with world.database.transaction() as session:
        channel_states.hold_back(session, Post.id == waiting)
    assert channel_watch_due(world)
    channel_watch.watch_channels(world.runtime, world.account().id)
    assert channel(world).state == ChannelState.RECONNECT_NEEDED
    with world.database.transaction() as session:
        assert channel_states.mark_ready(session, world.account().id, [TIRED]) == 1
        assert identity.read_integrations(session, world.account().id)
    assert world.post(waiting).waits_for == ""
    assert world.post(waiting).error_code is None


def test_a_channel_that_nothing_waits_for_uses_up_no_trial(world: World) -> None:
    state = ChannelState.RECONNECT_NEEDED
    with world.database.transaction() as session:
        channel_states.mark_not_ready(session, world.account().id, TIRED, state, "sign in")
    let_pass(world)
    for _ in range(2):
        sweep.run_sweep(world.runtime)
    assert channel(world).trials == 0
    assert channel(world).trial_at is not None


def test_what_is_approved_for_a_channel_that_is_not_ready_waits_for_it(world: World) -> None:
    ids = make_posts(world, "acme", ["a", "b"], integration=TIRED)
    asks = {"requires_approval": True, "state": PostState.WAITING_APPROVAL}
    with world.database.transaction() as session:
        session.execute(update(Post).values(asks))
        channel_states.mark_not_ready(
            session, world.account().id, TIRED, ChannelState.RECONNECT_NEEDED, "reconnect it"
        )
    for post_id in ids:
        with world.database.transaction() as session:
            decisions.approve_post(session, session.get_one(Post, post_id), by="a test")
    assert all_wait(world, ids)


def test_what_is_edited_together_goes_on_waiting_for_its_channel(world: World) -> None:
    """One that is edited alone is tried; of many, each would be refused by itself."""
    ids = make_posts(world, "acme", ["a", "b"], integration=TIRED, in_seconds=600)
    with world.database.transaction() as session:
        channel_states.mark_not_ready(
            session, world.account().id, TIRED, ChannelState.RECONNECT_NEEDED, "reconnect it"
        )
    later = BulkEdit(plan=lambda *_: Edit(content="new"), dry_run=False)
    assert bulk_edits.edit_matching_posts(world.database, ids, later).changed == 2
    assert {world.post(post_id).content for post_id in ids} == {"new"}
    assert all_wait(world, ids)


def test_posts_that_move_to_an_account_wait_for_its_channel(world: World) -> None:
    ids = make_posts(world, "acme", ["a", "b"], integration=TIRED)
    account = world.account().id
    with world.database.transaction() as session:
        elsewhere = Account(server="elsewhere", key_hash="another")
        session.add(elsewhere)
        session.flush()
        session.execute(update(Post).values(account_id=elsewhere.id))
        channel_states.mark_not_ready(
            session, account, TIRED, ChannelState.RECONNECT_NEEDED, "reconnect it"
        )
        account_move.move_batch(session, "acme", account)
    assert all_wait(world, ids)
