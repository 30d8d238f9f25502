"""What a worker writes down counts only while its claim is the post's, and its state as it was."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, update

from shared.domain.publishing.states import PostState
from shared.errors import ClaimLost
from shared.models import Post
from shared.postiz.client import RemotePost
from shared.posts import cancel_retry, transitions
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile
from tests.workers.world import World
from worker.accounts import remote_posts
from worker.publishing import track


@pytest.fixture
def post_id(world: World) -> int:
    """Of a post that stands in Postiz's calendar, and is due for a look."""
    make_profile(world, key=KEY)
    [post_id] = make_posts(world, "acme", ["next week"], handoff="calendar", in_seconds=7 * 86_400)
    world.until_all(PostState.SCHEDULED, [post_id])
    with world.database.transaction() as session:
        session.execute(update(Post).values(track_at=func.now()))
    return post_id


def claim(world: World) -> remote_posts.Subject:
    due = [Post.state == PostState.SCHEDULED]
    [subject] = remote_posts.claim_subjects(
        world.runtime, world.account().id, due, lease_column="track_at"
    )
    return subject


def seen(subject: remote_posts.Subject, state: str) -> RemotePost:
    return RemotePost(
        id=subject.postiz_id,
        state=state,
        publish_at=datetime.now(UTC),
        content="",
        integration_id="int-mastodon",
        release_url=None,
    )


def test_a_move_under_another_claim_changes_nothing(world: World, post_id: int) -> None:
    first = claim(world)
    claim(world)
    with pytest.raises(ClaimLost), world.database.transaction() as session:
        transitions.move_posts(
            session,
            [post_id],
            PostState.SCHEDULED,
            PostState.PUBLISHED,
            event="published",
            claim=first.claim,
        )
    assert world.states([post_id]) == [PostState.SCHEDULED]
    assert "published" not in world.timeline(post_id)


@pytest.mark.parametrize("state", ["QUEUE", "ERROR"])
def test_a_post_taken_back_while_it_is_looked_at_is_followed_no_more(
    world: World, post_id: int, state: str
) -> None:
    subject = claim(world)
    with world.database.transaction() as session:
        cancel_retry.cancel_posts(session, [post_id])
    track.track_post(world.runtime, subject, seen(subject, state))
    post = world.post(post_id)
    assert (post.state, post.track_at, post.error_code) == (PostState.CANCELLING, None, None)
    assert "error_in_postiz" not in world.timeline(post_id)


def test_a_failed_post_tried_again_while_it_is_looked_at_is_followed_no_more(
    world: World, post_id: int
) -> None:
    with world.database.transaction() as session:
        transitions.fail_posts(session, [post_id], PostState.SCHEDULED, code="x", message="no")
        session.execute(update(Post).values(track_at=func.now()))
    due = [Post.state == PostState.FAILED]
    [subject] = remote_posts.claim_subjects(
        world.runtime, world.account().id, due, lease_column="track_at"
    )
    with world.database.transaction() as session:
        cancel_retry.requeue_posts(session, [post_id])
    track.track_post(world.runtime, subject, seen(subject, "QUEUE"))
    assert world.post(post_id).track_at is None


def test_what_was_said_of_a_post_in_one_state_is_taken_off_in_the_next(
    world: World, post_id: int
) -> None:
    said = {"error_code": "x", "error_message": "why it waits", "error_hint": "wait"}
    with world.database.transaction() as session:
        session.execute(update(Post).values(**said, error_at=func.now(), in_doubt=True))
        cancel_retry.cancel_posts(session, [post_id])
    post = world.post(post_id)
    assert (post.error_code, post.error_message, post.error_hint) == (None, None, None)
    assert (post.error_at, post.in_doubt) == (None, False)
