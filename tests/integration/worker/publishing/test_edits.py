"""Posts that are edited at every state on their way, with a worker beside it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import func, select, update

from shared.accounts import channel_states
from shared.domain.networks.channel_states import NOT_READY, ChannelState
from shared.domain.publishing.states import PostState
from shared.models import Handover, Post, Submission
from shared.posts import cancel_retry, edits, handovers
from shared.posts.edits import Edit
from tests.factories.posts import make_due, make_posts, request_cancel, request_retry
from tests.factories.profiles import KEY, leave_account, save_key
from tests.workers.world import World
from worker import sweep
from worker.staging import batch_selection, stage, submissions

pytestmark = pytest.mark.usefixtures("a_profile")

HOUR = timedelta(hours=1)
LATER = datetime.now(UTC).replace(microsecond=0) + 5 * HOUR


def edit(world: World, ids: Sequence[int], **values: Any) -> None:
    with world.database.transaction() as session:
        rows = select(Post.id).where(Post.id.in_(ids), edits.is_editable()).with_for_update()
        assert set(session.scalars(rows)) == set(ids)
        edits.edit_posts(session, dict.fromkeys(ids, Edit(**values)))


def is_editable(world: World, post_id: int) -> bool:
    with world.database.transaction() as session:
        return bool(session.scalar(select(edits.is_editable()).where(Post.id == post_id)))


def sent(world: World) -> list[str]:
    """The contents that networks got."""
    return [send["content"] for send in world.sandbox.sends()]


def drafts(world: World) -> list[str]:
    return [post["content"] for post in world.sandbox.posts() if not post["deleted"]]


def test_what_waits_is_edited_in_place(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], in_seconds=600)
    edit(world, [post_id], content="new", publish_at=LATER)
    post = world.post(post_id)
    assert (post.state, post.content, post.publish_at) == ("pending", "new", LATER)
    assert (post.revision, post.edit) == (2, None)
    assert world.timeline(post_id)[-1] == "edited"


def test_the_draft_of_an_edited_post_is_replaced(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], in_seconds=600)
    world.until_all(PostState.STAGED, [post_id])
    edit(world, [post_id], content="new")
    assert world.states([post_id]) == [PostState.PENDING]
    world.until_all(PostState.STAGED, [post_id])
    make_due(world, [post_id])
    world.until_all(PostState.PUBLISHED, [post_id])
    assert sent(world) == ["new"]
    world.until(lambda: drafts(world) == ["new"])


def test_a_staged_post_that_only_moves_costs_no_call(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["moved"], in_seconds=600)
    world.until_all(PostState.STAGED, [post_id])
    edit(world, [post_id], publish_at=LATER)
    post = world.post(post_id)
    assert (post.state, post.publish_at, post.release_at) == ("staged", LATER, LATER)
    edit(world, [post_id], publish_at=datetime.now(UTC).replace(microsecond=0))
    world.until_all(PostState.PUBLISHED, [post_id])
    with world.database.transaction() as session:
        assert len(session.scalars(select(Submission.id)).all()) == 1
    assert sent(world) == ["moved"]


def test_a_draft_that_would_be_too_old_for_postizs_own_rescue_is_not_kept_for_a_later_time(
    world: World,
) -> None:
    """Postiz looks back two days for what it has not sent."""
    near, far = make_posts(world, "acme", ["near", "far"], in_seconds=600)
    world.until_all(PostState.STAGED, [near, far])
    edit(world, [near], publish_at=LATER + 24 * HOUR)
    edit(world, [far], publish_at=LATER + 48 * HOUR)
    assert world.states([near, far]) == [PostState.STAGED, PostState.PENDING]
    world.until(lambda: drafts(world) == ["near"])
    edit(world, [far], publish_at=datetime.now(UTC).replace(microsecond=0))
    world.until_all(PostState.PUBLISHED, [far])
    assert sent(world) == ["far"]


def test_an_edited_post_goes_on_waiting_for_its_channel(world: World) -> None:
    in_place, staged, moved = ids = make_posts(
        world, "acme", ["in place", "staged", "moved"], in_seconds=600
    )
    world.until_all(PostState.STAGED, ids)
    with world.database.transaction() as session:
        session.execute(update(Post).where(Post.id == in_place).values(state="pending"))
        handovers.update_alive(session, [in_place], buried_at=func.now(), state="discarded")
        account_id = session.get_one(Post, in_place).account_id
        why = ChannelState.DISABLED, "It is disabled"
        channel_states.mark_not_ready(session, account_id, "int-mastodon", *why)
    edit(world, [in_place, staged], content="new")
    edit(world, [moved], publish_at=LATER)
    posts = [world.post(post_id) for post_id in ids]
    assert [post.state for post in posts] == ["pending", "pending", "staged"]
    assert {(post.waits_for, post.error_code) for post in posts} == {
        (channel_states.wait_for(account_id, "int-mastodon"), NOT_READY)
    }
    with world.database.transaction() as session:
        channel_states.mark_ready(session, account_id, ["int-mastodon"])
    assert {world.post(post_id).waits_for for post_id in ids} == {""}


def test_what_is_in_the_calendar_is_taken_out_before_it_is_handed_over_anew(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], handoff="calendar", in_seconds=3600)
    world.until_all(PostState.SCHEDULED, [post_id])
    edit(world, [post_id], content="new", publish_at=LATER)
    assert world.states([post_id]) == [PostState.RESCHEDULING]
    assert is_editable(world, post_id)
    edit(world, [post_id], content="newer")
    world.until_all(PostState.SCHEDULED, [post_id])
    assert drafts(world) == ["newer"]
    post = world.post(post_id)
    assert (post.publish_at, post.revision, post.edit) == (LATER, 3, None)


def test_a_post_in_the_calendar_whose_time_is_near_is_too_late(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], handoff="calendar", in_seconds=90)
    world.until_all(PostState.SCHEDULED, [post_id])
    assert not is_editable(world, post_id)


def test_an_edit_that_comes_too_late_for_postiz_is_dropped_with_a_word(world: World) -> None:
    """Its time came near between the request and the worker's read."""
    [post_id] = make_posts(world, "acme", ["old"], handoff="calendar", in_seconds=14)
    world.until_all(PostState.SCHEDULED, [post_id])
    far = {"publish_at": LATER}
    with world.database.transaction() as session:
        due_at = session.get_one(Post, post_id).publish_at
        session.execute(update(Post).where(Post.id == post_id).values(far))
    edit(world, [post_id], content="new")
    with world.database.transaction() as session:
        session.execute(update(Post).where(Post.id == post_id).values(publish_at=due_at))
    world.until_all(PostState.PUBLISHED, [post_id])
    assert sent(world) == ["old"]
    assert {"too_late_to_edit", "edit_dropped"} <= set(world.timeline(post_id))
    post = world.post(post_id)
    assert (post.revision, post.edit, post.content) == (3, None, "old")


def test_an_edit_during_the_call_that_stages_the_old_content_takes_effect_after_it(
    world: World,
) -> None:
    [post_id] = make_posts(world, "acme", ["old"], in_seconds=600)
    call = submissions.prepare_call(world.runtime, world.account().id)
    assert call is not None
    edit(world, [post_id], content="new")
    assert world.post(post_id).content == "old"
    stage._run_call(world.runtime, call)
    make_due(world, [post_id])
    world.until_all(PostState.PUBLISHED, [post_id])
    assert sent(world) == ["new"]
    world.until(lambda: drafts(world) == ["new"])


def test_a_post_edited_between_its_selection_and_its_call_is_not_in_the_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The selection reads posts before it locks them."""
    [post_id] = make_posts(world, "acme", ["old"], in_seconds=600)
    lock_chosen = batch_selection._lock_chosen

    def edit_first(*arguments: Any) -> Any:
        edit(world, [post_id], content="new")
        return lock_chosen(*arguments)

    monkeypatch.setattr(batch_selection, "_lock_chosen", edit_first)
    assert submissions.prepare_call(world.runtime, world.account().id) is None
    monkeypatch.undo()
    world.until_all(PostState.STAGED, [post_id])
    assert drafts(world) == ["new"]


def test_of_an_edit_and_a_release_that_meet_one_wins(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], in_seconds=600)
    world.until_all(PostState.STAGED, [post_id])
    make_due(world, [post_id])
    claimed = world.claim_release()
    assert not is_editable(world, post_id)
    world.send_release(claimed)
    world.until_all(PostState.PUBLISHED, [post_id])
    assert sent(world) == ["old"]
    assert not is_editable(world, post_id)


def test_a_failed_post_is_edited_and_then_retried(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], in_seconds=600)
    with world.database.transaction() as session:
        values = {"state": "failed", "error_code": "not_publishable", "error_message": "no"}
        session.execute(update(Post).where(Post.id == post_id).values(values))
    edit(world, [post_id], content="new")
    assert (world.post(post_id).content, world.post(post_id).error_code) == (
        "new",
        "not_publishable",
    )
    request_retry(world, post_id)
    world.until_all(PostState.STAGED, [post_id])
    assert drafts(world) == ["new"]


def test_a_cancelled_post_is_edited_and_then_retried(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], in_seconds=600)
    world.until_all(PostState.STAGED, [post_id])
    request_cancel(world, [post_id])
    world.until_all(PostState.CANCELLED, [post_id])
    edit(world, [post_id], content="new")
    request_retry(world, post_id)
    world.until_all(PostState.STAGED, [post_id])
    assert drafts(world) == ["new"]


def test_the_edit_of_a_post_that_may_be_live_waits_for_a_persons_word(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], in_seconds=600)
    world.until_all(PostState.STAGED, [post_id])
    with world.database.transaction() as session:
        session.execute(update(Handover).values(released_at=LATER))
        values = {"state": "failed", "error_code": "publish_failed", "error_message": "perhaps"}
        session.execute(update(Post).values(values))
    edit(world, [post_id], content="new")
    with world.database.transaction() as session:
        assert post_id in cancel_retry.find_possibly_live(session, [post_id])
    assert world.post(post_id).content == "old"
    request_retry(world, post_id, confirmed=True)
    world.until_all(PostState.STAGED, [post_id])
    assert world.post(post_id).content == "new"
    world.until(lambda: drafts(world) == ["new"])


def test_a_held_post_with_a_new_time_goes_on(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["late"], in_seconds=-600)
    with world.database.transaction() as session:
        session.execute(update(Post).values(late_policy="hold"))
    world.until_all(PostState.HELD, [post_id])
    edit(world, [post_id], content="other")
    assert world.states([post_id]) == [PostState.HELD]
    edit(world, [post_id], publish_at=LATER)
    assert world.states([post_id]) == [PostState.PENDING]


def test_a_draft_that_was_asked_for_is_replaced_by_another(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], as_draft=True, in_seconds=600)
    world.until_all(PostState.DRAFT, [post_id])
    edit(world, [post_id], content="new")
    world.until_all(PostState.DRAFT, [post_id])
    world.until(lambda: drafts(world) == ["new"])


def test_an_edit_during_the_call_that_makes_a_draft_replaces_it(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], as_draft=True, in_seconds=600)
    world.until_all(PostState.DRAFT, [post_id])
    with world.database.transaction() as session:  # as it is left by an edit of that moment
        waits = {"edit": {"content": "new"}, "revision": 2}
        session.execute(update(Post).where(Post.id == post_id).values(waits))
    world.until(lambda: drafts(world) == ["new"])
    world.until_all(PostState.DRAFT, [post_id])
    assert world.post(post_id).edit is None


def test_a_draft_that_somebody_has_scheduled_in_postiz_is_not_replaced(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], as_draft=True, in_seconds=600)
    world.until_all(PostState.DRAFT, [post_id])
    remote_id = world.post(post_id).postiz_post_id
    url, key = f"{world.api_url}/posts/{remote_id}/status", {"Authorization": KEY}
    scheduled = requests.put(url, json={"status": "schedule"}, headers=key, timeout=60)
    assert scheduled.ok, scheduled.text
    edit(world, [post_id], content="new")
    world.until_all(PostState.SCHEDULED, [post_id])
    assert drafts(world) == ["old"]
    assert "edit_dropped" in world.timeline(post_id)


def test_a_cancel_is_not_stopped_by_an_edit_that_waits(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["old"], handoff="calendar", in_seconds=3600)
    world.until_all(PostState.SCHEDULED, [post_id])
    edit(world, [post_id], content="new")
    request_cancel(world, [post_id])
    world.until_all(PostState.CANCELLED, [post_id])
    assert drafts(world) == []
    world.until(lambda: world.post(post_id).edit is None)
    assert world.post(post_id).content == "new", "a retry publishes it as edited"


def test_the_edit_of_a_post_in_the_calendar_of_an_account_that_was_left_is_dropped(
    world: World,
) -> None:
    [post_id] = make_posts(world, "acme", ["old"], handoff="calendar", in_seconds=3600)
    world.until_all(PostState.SCHEDULED, [post_id])
    edit(world, [post_id], content="new")
    leave_account(world, "acme")
    world.until_all(PostState.SCHEDULED, [post_id])
    post = world.post(post_id)
    assert (post.content, post.edit, post.revision) == ("old", None, 3)
    assert "edit_dropped" in world.timeline(post_id)


def delete_begun_and_account_left(world: World) -> int:
    """A post in the calendar that is edited, and deleted there, and then its profile leaves."""
    [post_id] = make_posts(world, "acme", ["old"], handoff="calendar", in_seconds=3600)
    world.until_all(PostState.SCHEDULED, [post_id])
    edit(world, [post_id], content="new")
    world.sandbox.add_fault("error_500_after", route="DELETE /posts/:id")
    world.until(lambda: drafts(world) == [])
    leave_account(world, "acme")
    for _ in range(3):
        sweep.run_sweep(world.runtime)
        world.work()
    assert world.states([post_id]) == [PostState.RESCHEDULING], "nobody knows whether it is gone"
    return post_id


def test_an_edit_waits_while_nobody_can_see_whether_the_old_post_is_deleted(world: World) -> None:
    post_id = delete_begun_and_account_left(world)
    save_key(world, "acme", key=KEY)
    world.until_all(PostState.SCHEDULED, [post_id])
    assert (world.post(post_id).content, drafts(world)) == ("new", ["new"])


def test_a_person_decides_where_nobody_could_see_whether_the_old_post_was_deleted(
    world: World,
) -> None:
    post_id = delete_begun_and_account_left(world)
    with world.database.transaction() as session:
        past = {"publish_at": func.now() - 3 * HOUR, "lease_until": func.now() - HOUR}
        session.execute(update(Post).where(Post.id == post_id).values(past))
    sweep.run_sweep(world.runtime)
    post = world.post(post_id)
    assert (post.state, post.error_code) == (PostState.FAILED, "outcome_unknown")
    assert post.edit is not None, "it takes effect where a person says that it was not published"
