"""Drafts of unclear releases are moved to 2099 by few calls, and none is moved without an end."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from shared.domain.publishing.retry_limits import Tries
from shared.domain.publishing.states import PostState
from shared.errors import Conflict
from shared.models import Account, Handover, Post, Submission
from shared.net.outbound_route import Route
from shared.postiz.client import Postiz
from shared.postiz.discovery import not_saved
from shared.posts import cancel_retry
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile
from tests.workers.world import World
from worker import sweep

PUT = "PUT /posts/:id/status"
FEW = 3


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """And few tries: how many there should be, and when, the unit tests of the limits say."""
    monkeypatch.setattr(Tries, "pause", lambda _, n: timedelta(0) if n < FEW else None)


pytestmark = pytest.mark.usefixtures("a_profile")


def unclear(world: World, *jobs: Sequence[int]) -> list[int]:
    """Their status changes never arrive; nobody looks at them before they are `ready`."""
    object.__setattr__(world.settings, "unknown_release_seconds", 3600.0)
    ids = [post for job in jobs for post in job]
    lost = world.sandbox.add_fault("reply_lost_before", route=PUT)
    world.until_all(PostState.RELEASING, ids)
    world.sandbox.remove_fault(lost)
    return ids


def ready(world: World, ids: Sequence[int], *, since: float = 5) -> list[int]:
    """As if they had been released so many seconds ago, and nobody looked yet."""
    object.__setattr__(world.settings, "unknown_release_seconds", 1.0)
    then = func.now() - timedelta(seconds=since)
    with world.database.transaction() as session:
        session.execute(update(Account).values(failures=0, retry_at=None))
        handed_over = update(Handover).where(Handover.post_id.in_(ids))
        session.execute(handed_over.values(released_at=then))
        session.execute(update(Post).where(Post.id.in_(ids)).values(lease_until=func.now()))
    return list(ids)


def moves(world: World) -> list[int]:
    """How many posts each call moved, in their order."""
    with world.database.transaction() as session:
        query = select(Submission.elements).where(Submission.kind == "park")
        return list(session.scalars(query.order_by(Submission.id)))


def counted_limit(world: World, **values: object) -> None:
    with world.database.transaction() as session:
        session.execute(update(Account).values(values))


def test_a_draft_that_cannot_be_moved_is_found_by_halving_and_ends_alone(world: World) -> None:
    contents = ["stays", *(f"goes {number}" for number in range(4))]
    world.sandbox.add_fault("refused_by_network", type="update", contains="stays")
    bad, *good = ready(world, unclear(world, make_posts(world, "acme", contents)))
    world.until_all(PostState.PUBLISHED, good)
    world.until_all(PostState.FAILED, [bad])
    ended = world.post(bad)
    assert ended.error_code == "outcome_unknown"
    assert "could not be moved out of its reach" in (ended.error_message or "")
    assert ended.track_at is not None, "it is followed: it may have been published"
    assert world.timeline(bad).count("parking_failed") == 1
    assert len(moves(world)) <= 5 + 2 * FEW
    calls = len(moves(world))
    for _ in range(3):
        sweep.run_tick(world.runtime)
        world.work()
    assert len(moves(world)) == calls
    with world.database.transaction() as session:
        post = session.get_one(Post, bad)
        with pytest.raises(Conflict):
            cancel_retry.retry_post(session, post, confirmed=False)


@pytest.mark.parametrize("kind", ["error_500_before", "reply_lost_before"])
def test_a_move_that_never_gets_clear_ends(world: World, kind: str) -> None:
    world.sandbox.add_fault(kind, route="POST /posts", type="update", contains="stays")
    [bad] = ready(world, unclear(world, make_posts(world, "acme", ["stays"])))
    [good] = make_posts(world, "acme", ["goes"])
    world.until_all(PostState.FAILED, [bad])
    world.until_all(PostState.PUBLISHED, [good])
    assert world.post(bad).error_code == "outcome_unknown"
    assert moves(world) == [1] * FEW
    assert world.timeline(bad).count("parking_failed") == 1


def test_what_lands_after_a_refused_move_is_a_handover(world: World) -> None:
    """No move is under way: QUEUE at the old date is what was asked for."""
    world.sandbox.add_fault("refused_by_network", type="update", times=1)
    calendar = make_posts(world, "acme", ["late"], in_seconds=3600, handoff="calendar")
    [post] = ready(world, unclear(world, calendar))
    world.until(lambda: moves(world) == [1])
    postiz_id = world.post(post).postiz_post_id
    assert postiz_id is not None
    route = Route(allow_private=True)
    Postiz(base_url=world.api_url, api_key=KEY, check=not_saved, route=route).release(postiz_id)
    world.until_all(PostState.SCHEDULED, [post])
    assert moves(world) == [1]


def test_drafts_that_get_unclear_one_after_another_share_one_move(world: World) -> None:
    ids = unclear(world, make_posts(world, "acme", ["a", "b", "c"]))
    counted_limit(
        world, budget_limit=9, budget_used=8, window_ends_at=func.now() + timedelta(hours=1)
    )
    for number, post in enumerate(ids):
        ready(world, [post], since=4.5 - number)
    # the last call: 5.3 s are gathered, of which a busy machine may waste more than three
    object.__setattr__(world.settings, "unknown_release_seconds", 4.0)
    world.until(lambda: bool(moves(world)))
    assert moves(world) == [3]


def test_the_posts_of_all_profiles_with_one_key_share_a_move(world: World) -> None:
    make_profile(world, "beta", key=KEY)
    ids = unclear(world, make_posts(world, "acme", ["a"]), make_posts(world, "beta", ["b"]))
    ready(world, ids)
    world.until(lambda: moves(world) == [2])


def test_another_key_of_the_account_has_a_move_of_its_own(world: World) -> None:
    world.sandbox.patch_org("acme", add_keys=["second-key"])
    make_profile(world, "beta", key="second-key")
    ids = unclear(world, make_posts(world, "acme", ["a"]), make_posts(world, "beta", ["b"]))
    ready(world, ids)
    world.until(lambda: moves(world) == [1, 1])
    world.until_all(PostState.PUBLISHED, ids)


def test_who_waits_for_the_budget_is_told_until_when(world: World) -> None:
    [releasing] = ready(world, unclear(world, make_posts(world, "acme", ["a"])))
    none_left = {"budget_limit": 5, "budget_used": 5}
    counted_limit(world, **none_left, window_ends_at=func.now() + timedelta(minutes=20))
    [pending] = make_posts(world, "acme", ["b"])
    [later] = make_posts(world, "acme", ["c"], in_seconds=7200)

    def told() -> list[str | None]:
        return [world.post(post).error_code for post in (releasing, pending)]

    world.until(lambda: told() == ["budget_exhausted"] * 2)
    lines = [len(world.timeline(post)) for post in (releasing, pending)]
    ends_at = world.account().window_ends_at
    assert ends_at is not None
    assert ends_at.isoformat(timespec="seconds") in (world.post(pending).error_message or "")
    assert world.post(later).error_code is None
    for _ in range(3):
        sweep.run_sweep(world.runtime)
        sweep.run_tick(world.runtime)
        world.work()
    assert [len(world.timeline(post)) for post in (releasing, pending)] == lines
    counted_limit(world, budget_limit=90, plan_at=None)
    ready(world, [releasing])
    world.until_all(PostState.PUBLISHED, [releasing, pending])
    assert told() == [None, None]


def test_a_raised_limit_that_a_move_is_told_serves_staging_at_once(world: World) -> None:
    ids = unclear(world, make_posts(world, "acme", ["a"]))
    told = world.account().budget_limit
    assert told is not None
    counted_limit(
        world,
        budget_limit=4,
        budget_used=1,
        budget_reserve=3,
        window_ends_at=func.now() + timedelta(hours=1),
    )
    [waiting] = make_posts(world, "acme", ["b"])
    world.until(lambda: world.post(waiting).error_code == "budget_exhausted")
    ready(world, ids)
    world.until(lambda: world.account().budget_limit == told)
    world.until_all(PostState.PUBLISHED, [waiting])
