"""A backlog costs another profile's single post no more than its turn, and a timed one nothing."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from local.sandbox.process import SandboxProcess
from shared.domain.publishing.states import PostState
from shared.models import Account, Post, Server, Submission
from tests.factories.posts import make_due, make_posts
from tests.factories.profiles import KEY, make_profile
from tests.workers.runtimes import make_runtime
from tests.workers.world import World
from worker.releasing import releaser
from worker.releasing.claims import Release, claim_releases
from worker.releasing.due_posts import Turns
from worker.runtime import Runtime
from worker.staging import submissions

BACKLOG = 40


@pytest.fixture
def world(
    only_acme: SandboxProcess, database_url: str, tmp_path: Path, short_rests: None
) -> Iterator[World]:
    """At a pace at which calls reach Postiz in the order in which they are made."""
    runtime = make_runtime(database_url, tmp_path, PRESSROOM_WRITES_PER_SECOND="8")
    yield World(runtime=runtime, sandbox=only_acme.admin, api_url=only_acme.api_url)
    runtime.close()


def begin_now(world: World, *due: list[int]) -> None:
    """They are due, the first ones for longest, at servers that were written to just now."""
    with world.database.transaction() as session:
        session.execute(update(Server).values(next_write_at=func.clock_timestamp()))
    for ids in due:
        make_due(world, ids)


@pytest.fixture
def claimed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Posts in the order in which they are claimed to be sent.

    On a late machine their calls overtake each other on the way, which is not what is decided here.
    """
    posts: list[int] = []

    def claim(runtime: Runtime, wanted: Sequence[Turns]) -> list[Release]:
        releases = claim_releases(runtime, wanted)
        posts.extend(release.post_id for release in releases)
        return releases

    monkeypatch.setattr(releaser, "claim_releases", claim)
    return posts


def staged_for_later(
    world: World, profile: str, contents: list[str], integration: str = "int-mastodon"
) -> list[int]:
    """Staged, and Postiz at rest after it."""
    ids = make_posts(world, profile, contents, in_seconds=600, integration=integration)
    world.until_all(PostState.STAGED, ids)
    time.sleep(world.settings.settle_seconds)
    return ids


def test_a_single_post_is_released_among_the_first_of_a_backlog(
    world: World, claimed: list[int]
) -> None:
    """Two profiles of one organization, and so of one account."""
    make_profile(world, "acme", key=KEY)
    make_profile(world, "small", key=KEY)
    assert world.account("acme").id == world.account("small").id
    many = staged_for_later(world, "acme", [f"many {n}" for n in range(BACKLOG)])
    single = staged_for_later(world, "small", ["single"])
    begin_now(world, many, single)  # after all of them
    world.until_all(PostState.PUBLISHED, many + single)
    assert claimed.index(single[0]) <= 2


def test_another_account_on_the_same_server_has_every_second_turn(
    world: World, claimed: list[int]
) -> None:
    world.sandbox.create_org(
        "other",
        keys=["key-of-other"],
        integrations=[{"id": "int-other", "name": "Other", "identifier": "mastodon"}],
    )
    make_profile(world, "acme", key=KEY)
    make_profile(world, "other", key="key-of-other")
    many = staged_for_later(world, "acme", [f"many {n}" for n in range(BACKLOG)])
    few = staged_for_later(world, "other", ["few 1", "few 2"], "int-other")
    begin_now(world, many, few)
    world.until_all(PostState.PUBLISHED, many + few)
    assert max(claimed.index(post_id) for post_id in few) <= 4


def test_a_single_post_is_staged_with_the_next_call_of_a_backlog(world: World) -> None:
    """Of one key: the call carries posts of both profiles, and needs no budget of its own."""
    make_profile(world, "acme", key=KEY)
    make_profile(world, "small", key=KEY)
    make_posts(world, "acme", [f"many {n} " + "x" * 2000 for n in range(100)], in_seconds=-60)
    single = make_posts(world, "small", ["single"])
    world.until(lambda: world.states(single) != [PostState.PENDING])
    world.until(lambda: world.states(single)[0] not in {PostState.PENDING, PostState.STAGING})
    with world.database.transaction() as session:
        submission = session.get_one(Submission, world.post(single[0]).submission_id)
        before = select(func.count()).where(Submission.id < submission.id)
        assert submission.elements > 1  # not in a call of its own
        assert (session.scalar(before) or 0) <= 1


def with_a_time_of_their_own(world: World, ids: list[int]) -> None:
    """Accepted a while ago for just now."""
    with world.database.transaction() as session:
        accepted = {"created_at": func.now() - timedelta(minutes=10)}
        session.execute(update(Post).where(Post.id.in_(ids)).values(accepted))


def test_a_timed_post_is_released_before_a_bulk_of_its_profile_that_has_no_times(
    world: World, claimed: list[int]
) -> None:
    """Which has been due for longer, and keeps every fourth turn."""
    make_profile(world, "acme", key=KEY)
    bulk = staged_for_later(world, "acme", [f"bulk {n}" for n in range(8)])
    timed = staged_for_later(world, "acme", [f"timed {n}" for n in range(6)])
    with_a_time_of_their_own(world, timed)
    begin_now(world, bulk, timed)
    world.until(lambda: len(claimed) >= 8)
    assert [post_id in bulk for post_id in claimed[:8]] == [False, False, False, True] * 2


def test_a_timed_post_is_staged_with_the_next_call_of_a_bulk_that_has_no_times(
    world: World,
) -> None:
    make_profile(world, "acme", key=KEY)
    make_posts(world, "acme", [f"bulk {n} " + "x" * 2000 for n in range(100)], in_seconds=-60)
    timed = make_posts(world, "acme", ["timed"], in_seconds=600)
    call = submissions.prepare_call(world.runtime, world.account().id)
    assert call is not None
    assert call.post_ids[0] == timed[0]
    assert len(call.post_ids) > 1


def test_the_bulk_has_every_fourth_call(world: World) -> None:
    """Though so many posts with times of their own wait that they would fill all of them."""
    make_profile(world, "acme", key=KEY)
    bulk = make_posts(world, "acme", [f"bulk {n} " + "x" * 9000 for n in range(10)], in_seconds=-60)
    make_posts(world, "acme", [f"timed {n} " + "x" * 9000 for n in range(40)], in_seconds=600)
    firsts = []
    for _ in range(4):
        with world.database.transaction() as session:
            session.execute(update(Account).values(lease_until=None))
        call = submissions.prepare_call(world.runtime, world.account().id)
        assert call is not None
        firsts.append(call.post_ids[0] in bulk)
    assert firsts == [False, False, False, True]
