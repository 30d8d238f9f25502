"""Taking posts back at every state, and having failed ones tried again."""

from typing import Any

import pytest
import requests

from shared.access.visible_profiles import EVERY_PROFILE
from shared.domain.publishing.states import PostState
from shared.errors import Conflict
from shared.models import Post
from shared.posts import bulk_cancel_retry, cancel_retry
from shared.posts.post_queries import PostFilter
from tests.factories.posts import make_posts, make_refused_posts, request_retry
from tests.factories.profiles import KEY
from tests.workers.world import World
from worker.staging import stage, submissions

pytestmark = pytest.mark.usefixtures("a_profile")


def cancel(world: World, post_id: int) -> None:
    with world.database.transaction() as session:
        cancel_retry.cancel_post(session, session.get_one(Post, post_id))


def alive(world: World) -> list[dict[str, Any]]:
    return [post for post in world.sandbox.posts() if not post["deleted"]]


def test_what_is_not_in_postiz_is_cancelled_at_once(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["never mind"])
    cancel(world, post_id)
    assert world.states([post_id]) == [PostState.CANCELLED]
    assert world.sandbox.posts() == []


def test_a_draft_is_deleted_in_postiz_before_it_counts_as_cancelled(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["never mind"], in_seconds=600)
    world.until_all(PostState.STAGED, [post_id])
    cancel(world, post_id)
    assert world.states([post_id]) == [PostState.CANCELLING]
    world.until_all(PostState.CANCELLED, [post_id])
    assert alive(world) == []
    assert world.sandbox.sends() == []


def test_a_post_in_the_calendar_is_deleted_there_in_time(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["never mind"], handoff="calendar", in_seconds=3600)
    world.until_all(PostState.SCHEDULED, [post_id])
    cancel(world, post_id)
    world.until_all(PostState.CANCELLED, [post_id])
    assert alive(world) == []


def test_a_post_whose_time_is_near_goes_on(world: World) -> None:
    """Within two minutes of its date a delete proves nothing."""
    [post_id] = make_posts(world, "acme", ["too late"], handoff="calendar", in_seconds=12)
    world.until_all(PostState.SCHEDULED, [post_id])
    cancel(world, post_id)
    world.until_all(PostState.PUBLISHED, [post_id])
    assert "too_late_to_cancel" in world.timeline(post_id)


def test_what_is_too_late_to_be_taken_back_is_not_yet_published(world: World) -> None:
    """Postiz still has it waiting: it is followed like any other."""
    [post_id] = make_posts(world, "acme", ["too late"], handoff="calendar", in_seconds=90)
    world.until_all(PostState.SCHEDULED, [post_id])
    cancel(world, post_id)
    world.until(lambda: "too_late_to_cancel" in world.timeline(post_id))
    post = world.post(post_id)
    assert (post.state, post.release_url, post.published_at) == (PostState.SCHEDULED, None, None)
    assert post.track_at is not None


def test_a_post_that_is_being_staged_is_deleted_once_its_id_is_known(world: World) -> None:
    world.sandbox.add_fault("slow", route="POST /posts", times=1, seconds=1)
    ids = make_posts(world, "acme", ["taken back", "not taken back"], in_seconds=2)
    call = submissions.prepare_call(world.runtime, world.account().id)
    assert call is not None
    cancel(world, ids[0])
    stage._run_call(world.runtime, call)
    world.until_all(PostState.CANCELLED, ids[:1])
    world.until_all(PostState.PUBLISHED, ids[1:])
    assert [send["content"] for send in world.sandbox.sends()] == ["not taken back"]
    assert [post["content"] for post in alive(world)] == ["not taken back"]


def test_a_user_draft_is_deleted_in_postiz(world: World) -> None:
    ids = make_posts(world, "acme", ["a draft"], as_draft=True)
    world.until_all(PostState.DRAFT, ids)
    cancel(world, ids[0])
    world.until_all(PostState.CANCELLED, ids)
    assert alive(world) == []


@pytest.mark.parametrize("kind", ["reply_lost_after", "reply_lost_before", "error_500_after"])
def test_an_unclear_delete_is_looked_at_again(world: World, kind: str) -> None:
    ids = make_posts(world, "acme", ["never mind"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    world.sandbox.add_fault(kind, route="DELETE /posts/:id", times=1)
    cancel(world, ids[0])
    world.until_all(PostState.CANCELLED, ids)
    assert alive(world) == []


def test_a_published_post_cannot_be_taken_back(world: World) -> None:
    ids = make_posts(world, "acme", ["out"])
    world.until_all(PostState.PUBLISHED, ids)
    with pytest.raises(Conflict, match="published"):
        cancel(world, ids[0])


def test_what_was_never_released_is_retried_freely(world: World) -> None:
    ids = make_posts(world, "acme", ["nowhere"], integration="int-gone")
    world.until_all(PostState.FAILED, ids)
    world.sandbox.patch_org(
        "acme", add_integrations=[{"id": "int-gone", "name": "Back", "identifier": "mastodon"}]
    )
    request_retry(world, ids[0])
    world.until_all(PostState.PUBLISHED, ids)
    assert world.post(ids[0]).error_code is None


def test_what_may_be_live_is_retried_only_on_the_users_word(world: World) -> None:
    ids = make_refused_posts(world, ["tired"])
    world.until_all(PostState.FAILED, ids)
    with pytest.raises(Conflict, match="may be on the network"):
        request_retry(world, ids[0])
    world.sandbox.clear_faults()
    request_retry(world, ids[0], confirmed=True)
    world.until_all(PostState.PUBLISHED, ids)
    assert [send["content"] for send in world.sandbox.sends()] == ["tired"]
    world.until(lambda: len(alive(world)) == 1)  # the one that was given up is deleted


def test_a_jobs_retry_leaves_alone_what_may_be_live(world: World) -> None:
    ids = make_refused_posts(world, ["tired"])
    world.until_all(PostState.FAILED, ids)
    of_job = PostFilter(visible=EVERY_PROFILE, job_id=world.post(ids[0]).job_id)
    left = bulk_cancel_retry.retry_matching_posts(world.database, of_job, confirmed=False)
    assert (left.posts, left.count_refused("may_be_live")) == (0, 1)
    assert bulk_cancel_retry.retry_matching_posts(world.database, of_job, confirmed=True).posts == 1
    assert bulk_cancel_retry.retry_matching_posts(world.database, of_job, confirmed=True).posts == 0


def draft_of_a_teammate(world: World) -> None:
    post = {
        "integration": {"id": "int-mastodon"},
        "value": [{"content": "a teammate's draft", "image": []}],
        "settings": {},
    }
    body = {"type": "draft", "date": "2026-01-01T10:00:00.000Z", "shortLink": False, "tags": []}
    made = requests.post(
        f"{world.api_url}/posts",
        json={**body, "posts": [post]},
        headers={"Authorization": KEY},
        timeout=120,
    )
    assert made.status_code == 201


def test_the_drafts_of_unclear_calls_are_adopted_and_nobody_elses(world: World) -> None:
    draft_of_a_teammate(world)
    world.sandbox.add_fault("reply_lost_after", route="POST /posts", times=2)
    contents = ["a & b <b>bold</b>", "plain"]
    ids = make_posts(world, "acme", contents)
    world.until_all(PostState.PUBLISHED, ids)
    world.until(lambda: sum(post["state"] == "DRAFT" for post in alive(world)) == 1)
    assert len(world.sandbox.sends()) == len(contents)
    assert not any(post["deleted"] for post in world.sandbox.posts())


def test_a_postiz_that_fails_and_later_succeeds_is_believed(world: World) -> None:
    world.sandbox.add_fault(
        "publish_error", times=1, message="Unknown Error", recover=True, seconds=1
    )
    ids = make_posts(world, "acme", ["in the end"])
    world.until(lambda: world.states(ids)[0] in {PostState.FAILED, PostState.PUBLISHED})
    world.until_all(PostState.PUBLISHED, ids)
