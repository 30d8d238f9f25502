"""What could not go out in time is published late, skipped or held, as its policy says."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from shared.access.visible_profiles import EVERY_PROFILE, VisibleProfiles
from shared.domain.publishing.states import JobState, PostState
from shared.jobs import progress
from shared.models import Handover, Job, Post
from shared.posts import bulk_cancel_retry, cancel_retry, late_policy
from shared.posts.post_queries import PostFilter
from tests.factories.media import make_medium
from tests.factories.posts import make_posts, request_retry
from tests.factories.profiles import save_key
from tests.workers.inline_tasks import release_due
from tests.workers.world import World
from worker import sweep
from worker.publishing import late_posts
from worker.staging import submissions

pytestmark = pytest.mark.usefixtures("a_profile")


def late_by(world: World, ids: Sequence[int], seconds: float, **values: Any) -> None:
    """Let their time have been so long ago."""
    at = func.now() - timedelta(seconds=seconds)
    with world.database.transaction() as session:
        changed = update(Post).where(Post.id.in_(ids))
        session.execute(changed.values(publish_at=at, **values))


def job(world: World, policy: str, *contents: str, ago: float = 0, **more: Any) -> list[int]:
    ids = make_posts(world, "acme", contents, **more)
    late_by(world, ids, ago, late_policy=policy)
    return ids


def sent(world: World) -> list[str]:
    return sorted(send["content"] for send in world.sandbox.sends())


def test_each_policy_does_with_a_late_post_what_it_says(world: World) -> None:
    [late] = job(world, "publish", "late", ago=400)
    [skipped] = job(world, "skip", "skipped", ago=400)
    [held] = job(world, "hold", "held", ago=400)
    in_time = job(world, "skip", "a", ago=200) + job(world, "hold", "b", ago=200)
    world.until_all(PostState.PUBLISHED, [late, *in_time])
    assert world.states([skipped, held]) == [PostState.FAILED, PostState.HELD]
    assert [world.post(each).error_code for each in (skipped, held)] == [
        "late_skipped",
        "late_held",
    ]
    assert all(world.post(each).error_hint for each in (skipped, held))
    assert world.timeline(held).count("held") == 1
    assert sent(world) == ["a", "b", "late"]


@pytest.mark.parametrize("policy", ["skip", "hold"])
def test_what_became_late_goes_out_on_a_persons_word(world: World, policy: str) -> None:
    [post_id] = job(world, policy, "now", ago=400)
    world.until(lambda: world.post(post_id).error_code is not None)
    request_retry(world, post_id)
    assert world.post(post_id).error_code is None
    world.until_all(PostState.PUBLISHED, [post_id])
    assert sent(world) == ["now"]


def test_a_retry_of_the_job_lets_go_what_is_held_and_skipped(world: World) -> None:
    ids = job(world, "hold", "held", "skipped", ago=400)
    late_by(world, ids[1:], 400, late_policy="skip")
    world.until(lambda: all(world.post(each).error_code for each in ids))
    of_job = PostFilter(visible=EVERY_PROFILE, job_id=world.post(ids[0]).job_id)
    assert bulk_cancel_retry.retry_matching_posts(
        world.database, of_job, confirmed=False
    ).posts == len(ids)
    world.until_all(PostState.PUBLISHED, ids)


@pytest.mark.parametrize(
    ("policy", "state"), [("skip", PostState.FAILED), ("hold", PostState.HELD)]
)
def test_a_draft_that_has_become_too_late_is_taken_back(
    world: World, policy: str, state: PostState
) -> None:
    ids = job(world, policy, "never", ago=-600)
    world.until_all(PostState.STAGED, ids)
    late_by(world, ids, 400)
    with world.database.transaction() as session:
        session.execute(update(Post).values(release_at=func.now() - timedelta(seconds=400)))
    release_due(world.runtime)
    assert world.states(ids) == [PostState.STAGED]  # too late to be released, whoever comes first
    world.until_all(state, ids)
    world.until(lambda: all(post["deleted"] for post in world.sandbox.posts()))
    assert sent(world) == []
    with world.database.transaction() as session:
        assert session.scalars(select(Handover.released_at)).all() == [None]
    request_retry(world, ids[0])
    world.until_all(PostState.PUBLISHED, ids)


def test_a_late_post_is_not_chosen_before_the_sweep_has_seen_it(world: World) -> None:
    job(world, "skip", "a", ago=400)
    job(world, "hold", "b", ago=400)
    assert submissions.prepare_call(world.runtime, world.account().id) is None


def test_a_users_draft_is_never_too_late(world: World) -> None:
    ids = job(world, "skip", "a draft", ago=4000, as_draft=True, handoff="calendar")
    world.until_all(PostState.DRAFT, ids)


def test_a_held_post_can_be_cancelled(world: World) -> None:
    [post_id] = job(world, "hold", "never mind", ago=400)
    with world.database.transaction() as session:
        late_posts.enforce_policy(session, PostState.PENDING)
        cancel_retry.cancel_post(session, session.get_one(Post, post_id))
    assert world.states([post_id]) == [PostState.CANCELLED]


def test_a_job_waits_for_a_person_as_long_as_its_posts_are_held(world: World) -> None:
    ids = job(world, "hold", "held", "out", ago=400)
    late_by(world, ids[1:], 400, late_policy="publish")
    world.until_all(PostState.PUBLISHED, ids[1:])
    sweep.run_sweep(world.runtime)
    with world.database.transaction() as session:
        found = progress.read_outcome(session, session.get_one(Job, world.post(ids[0]).job_id))
    assert (found.state, found.percentage) == (JobState.RUNNING, 50)
    assert found.counts == {"held": 1, "published": 1}
    assert found.job.finished_at is None
    of_profile = PostFilter(visible=VisibleProfiles.only({"acme"}))
    assert (
        bulk_cancel_retry.cancel_matching_posts(
            world.database, of_profile, states=bulk_cancel_retry.UNPUBLISHED
        ).posts
        == 1
    )
    assert world.states(ids) == [PostState.CANCELLED, PostState.PUBLISHED]


def test_what_is_let_go_is_published_through_the_postiz_that_its_profile_has_by_then(
    world: World,
) -> None:
    medium = make_medium(world, "acme", b"\x89PNG\r\n\x1a\n" + bytes(300))
    world.until(lambda: world.upload_state(medium) == "uploaded")
    [post_id] = job(world, "hold", "moved", ago=400, media_ids=[medium], integration="int-new")
    world.until_all(PostState.HELD, [post_id])
    channel = {"id": "int-new", "name": "New Chan", "identifier": "mastodon"}
    world.sandbox.create_org("other", keys=["key-of-other"], integrations=[channel])
    save_key(world, "acme", key="key-of-other")
    request_retry(world, post_id)
    world.until_all(PostState.PUBLISHED, [post_id])
    [send] = world.sandbox.sends()
    assert (send["org"], send["content"]) == ("other", "moved")


def test_a_retry_before_its_time_keeps_the_policy(world: World) -> None:
    [post_id] = job(world, "skip", "later", ago=-3600)
    with world.database.transaction() as session:
        session.execute(update(Post).values(state=PostState.FAILED))
    request_retry(world, post_id)
    assert world.post(post_id).late_policy == "skip"


MANY_MORE = """
    INSERT INTO posts (job_id, position, profile_id, account_id, integration_id, content, media_ids,
                       settings, publish_at, handoff)
    SELECT job_id, position, profile_id, account_id, integration_id, content, media_ids,
           settings, publish_at, handoff FROM posts, generate_series(1, 5000)
"""


def test_looking_for_late_posts_reads_only_those_that_may_be(world: World) -> None:
    """However many posts wait, the sweep's look goes through its own index."""
    job(world, "skip", "a", ago=400)
    with world.database.transaction() as session:
        session.execute(text(MANY_MORE))
        session.execute(text("ANALYZE posts"))
        rows = late_policy.lock_late_posts(session, PostState.PENDING, limit=10)
        plan = session.execute(
            text(
                "EXPLAIN SELECT id FROM posts WHERE late_policy IN ('skip', 'hold') AND state IN "
                "('pending', 'staged') AND state = 'pending' AND publish_at <= now()"
            )
        ).scalars()
        assert len(rows) == 1
        assert "ix_posts_late_policy" in "\n".join(plan)
