"""Edits that wait beside a post: whatever becomes of the post, they take effect or it says not."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from shared.domain.publishing.states import PostState
from shared.models import Account, Post
from shared.posts import edits
from shared.posts.edits import Edit
from tests.factories.posts import make_posts, request_cancel, request_retry
from tests.factories.profiles import leave_account, save_key
from tests.workers.world import World
from worker import sweep
from worker.staging import stage, submissions

pytestmark = pytest.mark.usefixtures("a_profile")

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)


def edit(world: World, post_id: int, **values: Any) -> None:
    with world.database.transaction() as session:
        session.execute(select(Post.id).where(Post.id == post_id).with_for_update())
        edits.edit_posts(session, {post_id: Edit(**values)})


def set_values(world: World, ids: Sequence[int], **values: Any) -> None:
    with world.database.transaction() as session:
        session.execute(update(Post).where(Post.id.in_(ids)).values(values))


def test_a_failed_post_that_was_published_after_all_says_that_its_edit_came_too_late(
    world: World,
) -> None:
    [post_id] = make_posts(world, "acme", ["old"], handoff="calendar", in_seconds=8)
    world.until_all(PostState.SCHEDULED, [post_id])
    unknown = {"error_code": "outcome_unknown", "error_message": "perhaps"}
    set_values(world, [post_id], state="failed", error_at=func.now(), **unknown)
    edit(world, post_id, content="new")
    world.until_all(PostState.PUBLISHED, [post_id])
    post = world.post(post_id)
    assert (post.content, post.edit, post.revision) == ("old", None, 3)
    assert "edit_dropped" in world.timeline(post_id)


def test_what_was_edited_and_then_cancelled_is_retried_as_edited(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], in_seconds=600)
    call = submissions.prepare_call(world.runtime, world.account().id)
    assert call is not None
    edit(world, post_id, content="new")
    request_cancel(world, [post_id])
    stage._run_call(world.runtime, call)
    world.until_all(PostState.CANCELLED, [post_id])
    request_retry(world, post_id)
    world.until_all(PostState.STAGED, [post_id])
    post = world.post(post_id)
    assert (post.content, post.edit, post.revision) == ("new", None, 2)


def test_a_cancel_that_comes_too_late_ends_the_edit_before_it_with_a_word(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], handoff="calendar", in_seconds=12)
    world.until_all(PostState.SCHEDULED, [post_id])
    due_at = world.post(post_id).publish_at
    edit(world, post_id, content="new")
    request_cancel(world, [post_id])
    set_values(world, [post_id], publish_at=due_at)
    world.until_all(PostState.PUBLISHED, [post_id])
    post = world.post(post_id)
    assert (post.content, post.edit, post.revision) == ("old", None, 3)
    assert "edit_dropped" in world.timeline(post_id)


@pytest.mark.parametrize("policy", ["skip", "hold"])
def test_a_post_that_is_late_is_not_stopped_while_another_time_waits_for_it(
    world: World, policy: str
) -> None:
    [post_id] = make_posts(world, "acme", ["moved"], in_seconds=-600)
    values = {"late_policy": policy, "revision": 2, "next_at": func.now() + timedelta(hours=1)}
    set_values(world, [post_id], edit={"publish_at": LATER.isoformat()}, **values)
    sweep.run_sweep(world.runtime)
    assert world.states([post_id]) == [PostState.PENDING]
    set_values(world, [post_id], next_at=func.now())
    sweep.run_sweep(world.runtime)
    assert (world.post(post_id).state, world.post(post_id).publish_at) == ("pending", LATER)


def test_a_draft_that_was_asked_for_is_not_called_scheduled_when_its_account_was_left(
    world: World,
) -> None:
    [post_id] = make_posts(world, "acme", ["old"], as_draft=True, in_seconds=600)
    world.until_all(PostState.DRAFT, [post_id])
    edit(world, post_id, content="new")
    leave_account(world, "acme")
    sweep.run_sweep(world.runtime)
    post = world.post(post_id)
    assert (post.state, post.content, post.edit) == (PostState.PENDING, "new", None)


def test_a_cancelled_draft_does_not_wait_for_an_account_that_was_left(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], in_seconds=600)
    world.until_all(PostState.STAGED, [post_id])
    request_cancel(world, [post_id])
    leave_account(world, "acme")
    sweep.run_sweep(world.runtime)
    post = world.post(post_id)
    assert (post.state, post.error_code) == (PostState.CANCELLED, "draft_left_in_postiz")
    assert post.error_hint is not None


def make_new_key_unreadable(world: World) -> None:
    """Its organization gets a new key while Postiz answers nothing, so nobody knows whose it is."""
    world.sandbox.patch_org("acme", add_keys=["new-key"])
    world.sandbox.add_fault("error_500_before")
    save_key(world, "acme", key="new-key")


def test_a_new_key_of_which_nothing_is_known_leaves_no_draft_behind(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], in_seconds=600)
    world.until_all(PostState.STAGED, [post_id])
    request_cancel(world, [post_id])
    make_new_key_unreadable(world)
    sweep.run_sweep(world.runtime)
    assert world.states([post_id]) == [PostState.CANCELLING]
    world.sandbox.clear_faults()
    world.until_all(PostState.CANCELLED, [post_id])
    assert world.post(post_id).error_code is None
    assert [each["deleted"] for each in world.sandbox.posts()] == [True]


def test_a_new_key_of_which_nothing_is_known_drops_no_edit(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], handoff="calendar", in_seconds=3600)
    world.until_all(PostState.SCHEDULED, [post_id])
    edit(world, post_id, content="new")
    make_new_key_unreadable(world)
    set_values(world, [post_id], publish_at=func.now() - timedelta(hours=3))
    sweep.run_sweep(world.runtime)
    assert world.states([post_id]) == [PostState.RESCHEDULING]
    set_values(world, [post_id], publish_at=LATER)
    world.sandbox.clear_faults()
    world.until_all(PostState.SCHEDULED, [post_id])
    assert (world.post(post_id).content, world.post(post_id).edit) == ("new", None)


def test_a_key_of_which_nothing_is_ever_known_holds_up_no_post_for_ever(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], in_seconds=600)
    world.until_all(PostState.STAGED, [post_id])
    request_cancel(world, [post_id])
    make_new_key_unreadable(world)
    with world.database.transaction() as session:
        old = func.now() - timedelta(days=2)
        session.execute(
            update(Account).where(Account.integrations_seen_at.is_(None)).values(created_at=old)
        )
    sweep.run_sweep(world.runtime)
    assert world.post(post_id).error_code == "draft_left_in_postiz"
