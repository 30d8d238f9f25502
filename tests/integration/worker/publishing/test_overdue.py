"""What Postiz has in its queue though its time is over: named, followed, and with a way out."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select, update

from local.sandbox.process import SandboxProcess
from shared.access.visible_profiles import VisibleProfiles
from shared.domain.publishing.states import JobState, PostState
from shared.errors import Conflict
from shared.jobs import progress
from shared.jobs.progress import Outcome
from shared.models import Handover, Job, Post
from shared.postiz.client import RemotePost
from shared.posts import bulk_cancel_retry, cancel_retry
from shared.posts.post_queries import PostFilter
from tests.factories.posts import make_posts, make_refused_posts, request_retry
from tests.factories.profiles import KEY, make_profile, save_key
from tests.workers.runtimes import make_runtime
from tests.workers.world import World
from worker import sweep
from worker.accounts import remote_posts
from worker.publishing import track

EVERYTHING = PostFilter(visible=VisibleProfiles.only({"acme"}))


@pytest.fixture
def world(
    only_acme: SandboxProcess, database_url: str, tmp_path: Path, short_rests: None
) -> Iterator[World]:
    """Where a post is overdue after a second, and what is overdue or failed is so for minutes."""
    times = {"PRESSROOM_OVERDUE_SECONDS": 1, "PRESSROOM_ERROR_FINAL_SECONDS": 300}
    runtime = make_runtime(database_url, tmp_path, **times)
    made = World(runtime=runtime, sandbox=only_acme.admin, api_url=only_acme.api_url)
    make_profile(made, key=KEY)
    yield made
    runtime.close()


@pytest.fixture
def overdue(world: World) -> int:
    """A post whose release died in Postiz between its two steps: nothing there ever sends it."""
    world.sandbox.add_fault("killed_in_release", times=1)
    [post_id] = make_posts(world, "acme", ["stuck"])
    world.until(lambda: world.post(post_id).error_code == "overdue_in_postiz")
    return post_id


def outcome(world: World, post_id: int) -> Outcome:
    sweep.run_sweep(world.runtime)
    with world.database.transaction() as session:
        job = session.get_one(Job, session.get_one(Post, post_id).job_id)
        return progress.read_outcome(session, job)


def let_pass(world: World, seconds: float) -> None:
    """As if all that happened had happened so much earlier."""
    earlier = timedelta(seconds=seconds)
    with world.database.transaction() as session:
        for moment in (Handover.released_at, Post.error_at, Post.publish_at):
            change = {moment.key: moment - earlier}
            session.execute(update(moment.class_).where(moment.is_not(None)).values(change))
        session.execute(update(Post).where(Post.track_at.is_not(None)).values(track_at=func.now()))


def cancel(world: World, post_id: int) -> None:
    with world.database.transaction() as session:
        cancel_retry.cancel_post(session, session.get_one(Post, post_id))


def sent(world: World) -> list[str]:
    return sorted(send["content"] for send in world.sandbox.sends())


def in_postiz(world: World) -> list[dict[str, Any]]:
    return [post for post in world.sandbox.posts() if not post["deleted"]]


def test_its_job_waits_for_it_and_then_ends_with_an_error(world: World, overdue: int) -> None:
    post, found = world.post(overdue), outcome(world, overdue)
    assert (post.state, post.in_doubt) == (PostState.SCHEDULED, True)
    assert "still be processing" in (post.error_message or "")
    assert (found.state, found.percentage, found.in_doubt) == (JobState.RUNNING, 0, 1)
    assert found.job.finished_at is None
    let_pass(world, 400)
    world.until(lambda: not world.post(overdue).in_doubt)
    found = outcome(world, overdue)
    assert (found.state, found.overdue) == (JobState.COMPLETED_WITH_ERRORS, 1)
    assert (found.percentage, found.counts) == (100, {"scheduled": 1})
    assert found.job.finished_at is not None
    assert world.timeline(overdue).count("overdue_in_postiz") == 1


def test_a_job_that_was_over_waits_again_for_what_turns_out_overdue(world: World) -> None:
    world.sandbox.add_fault("never_publish", times=1)
    [post_id] = make_posts(world, "acme", ["in the calendar"], handoff="calendar", in_seconds=4)
    world.until(lambda: outcome(world, post_id).job.finished_at is not None)
    assert outcome(world, post_id).state is JobState.COMPLETED
    world.until(lambda: world.post(post_id).in_doubt)
    found = outcome(world, post_id)
    assert (found.state, found.job.finished_at) == (JobState.RUNNING, None)


def test_what_is_published_after_all_is_no_longer_in_doubt(world: World, overdue: int) -> None:
    put_status(world, overdue)
    world.until_all(PostState.PUBLISHED, [overdue])
    assert (world.post(overdue).in_doubt, world.post(overdue).error_code) == (False, None)
    assert outcome(world, overdue).state is JobState.COMPLETED


def put_status(world: World, post_id: int) -> None:
    """Somebody starts it in Postiz."""
    name = world.post(post_id).postiz_post_id
    requests.put(
        f"{world.api_url}/posts/{name}/status",
        json={"status": "schedule"},
        headers={"Authorization": KEY},
        timeout=120,
    ).raise_for_status()


def test_there_is_an_end_to_following_it(world: World, overdue: int) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=3)
    due = [Post.state == PostState.SCHEDULED]
    let_pass(world, 3 * 86_400)
    [subject] = remote_posts.claim_subjects(
        world.runtime, world.account().id, due, lease_column="track_at"
    )
    seen = RemotePost(
        id=subject.postiz_id,
        state="QUEUE",
        publish_at=long_ago,
        content="stuck",
        integration_id="int-mastodon",
        release_url=None,
    )
    track.track_post(world.runtime, subject, seen)
    post = world.post(overdue)
    assert post.state == PostState.FAILED
    assert post.error_code == "outcome_unknown"
    assert "three days" in (post.error_message or "")


def test_it_is_tried_again_only_on_a_persons_word(world: World, overdue: int) -> None:
    with pytest.raises(Conflict, match="still be processing") as refused:
        request_retry(world, overdue, confirmed=False)
    assert refused.value.code == "may_be_live"
    left = bulk_cancel_retry.retry_matching_posts(world.database, EVERYTHING, confirmed=False)
    assert (left.posts, left.count_refused("may_be_live")) == (0, 1)
    assert world.states([overdue]) == [PostState.SCHEDULED]


def test_that_word_may_be_given_for_many(world: World, overdue: int) -> None:
    assert (
        bulk_cancel_retry.retry_matching_posts(world.database, EVERYTHING, confirmed=True).posts
        == 1
    )
    assert world.states([overdue]) == [PostState.RELEASING]
    assert (
        bulk_cancel_retry.retry_matching_posts(world.database, EVERYTHING, confirmed=True).posts
        == 0
    )


def test_on_that_word_it_is_parked_seen_there_deleted_and_staged_anew(
    world: World, overdue: int
) -> None:
    [stuck] = in_postiz(world)
    request_retry(world, overdue, confirmed=True)
    world.until_all(PostState.PUBLISHED, [overdue])
    assert sent(world) == ["stuck"]
    steps = ["overdue_in_postiz", "retried", "parking", "parked", "release_undone", "staging"]
    timeline = world.timeline(overdue)
    assert [event for event in timeline[timeline.index(steps[0]) :] if event in steps] == steps
    [old] = [post for post in world.sandbox.posts() if post["id"] == stuck["id"]]
    assert old["deleted"]
    assert old["publish_date"].startswith("2099")
    assert outcome(world, overdue).state is JobState.COMPLETED
    with world.database.transaction() as session:
        alive = select(Handover.postiz_id).where(Handover.buried_at.is_(None))
        assert session.scalars(alive).all() == [world.post(overdue).postiz_post_id]


def test_a_word_that_turns_out_mistaken_publishes_nothing_twice(world: World, overdue: int) -> None:
    """It comes to life in Postiz after all, before it is moved away there."""
    request_retry(world, overdue, confirmed=True)
    put_status(world, overdue)
    world.until_all(PostState.PUBLISHED, [overdue])
    assert sent(world) == ["stuck"]
    assert "staging" not in world.timeline(overdue)[world.timeline(overdue).index("retried") :]


def test_a_cancel_deletes_it_and_says_that_it_may_have_been_sent(
    world: World, overdue: int
) -> None:
    cancel(world, overdue)
    world.until_all(PostState.CANCELLED, [overdue])
    assert in_postiz(world) == []
    post = world.post(overdue)
    assert post.error_code == "may_have_been_sent"
    assert "may have been sent" in (post.error_message or "")
    assert "too_late_to_cancel" not in world.timeline(overdue)
    with world.database.transaction() as session:
        assert cancel_retry.find_possibly_live(session, [overdue]) == {overdue}


def test_what_was_cancelled_in_time_says_nothing_of_the_kind(world: World) -> None:
    [post_id] = make_posts(world, "acme", ["never mind"], handoff="calendar", in_seconds=3600)
    world.until_all(PostState.SCHEDULED, [post_id])
    cancel(world, post_id)
    world.until_all(PostState.CANCELLED, [post_id])
    assert world.post(post_id).error_code is None
    with world.database.transaction() as session:
        assert cancel_retry.find_possibly_live(session, [post_id]) == set()


def test_a_post_in_error_is_not_done_for_its_job_until_that_is_final(world: World) -> None:
    [post_id] = make_refused_posts(world, ["tired"])
    world.until(lambda: world.post(post_id).error_at is not None)
    found = outcome(world, post_id)
    assert (found.state, found.counts, found.in_doubt) == (JobState.RUNNING, {"scheduled": 1}, 1)
    let_pass(world, 400)
    world.until_all(PostState.FAILED, [post_id])
    assert outcome(world, post_id).state is JobState.FAILED
    assert not world.post(post_id).in_doubt


def test_a_failed_post_can_be_taken_out_of_postiz_before_that_is_final(world: World) -> None:
    """Postiz may try it again, up to five times."""
    [post_id] = make_refused_posts(world, ["tired"])
    world.until(lambda: world.post(post_id).error_at is not None)
    cancel(world, post_id)
    world.until_all(PostState.CANCELLED, [post_id])
    assert in_postiz(world) == []
    assert world.post(post_id).error_code == "may_have_been_sent"


def test_a_post_that_cannot_be_followed_ends_its_job_with_that_error(
    world: World, overdue: int
) -> None:
    world.sandbox.create_org("other", keys=["other-key"], integrations=[])
    save_key(world, "acme", key="other-key")
    with world.database.transaction() as session:
        session.execute(update(Post).values(track_at=func.now() - timedelta(minutes=6)))
    world.until(lambda: world.post(overdue).error_code == "cannot_be_followed")
    assert outcome(world, overdue).state is JobState.COMPLETED_WITH_ERRORS
    with world.database.transaction() as session:
        session.execute(update(Post).values(track_at=func.now() - timedelta(days=4)))
    world.until_all(PostState.FAILED, [overdue])
    assert world.post(overdue).error_code == "outcome_unknown"
