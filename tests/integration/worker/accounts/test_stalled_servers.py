"""A Postiz that takes posts and publishes none: it is noticed, and the rest waits for it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from shared.access.visible_profiles import EVERY_PROFILE
from shared.accounts import server_health
from shared.domain.publishing.server_verdicts import Verdict
from shared.domain.publishing.states import PostState
from shared.models import Account, Delivery, Post, Server, Webhook
from shared.posts import transitions
from tests.factories.posts import make_posts
from tests.workers.world import World
from worker import sweep
from worker.accounts import server_turns

pytestmark = pytest.mark.usefixtures("a_profile")
OVERDUE: dict[str, Any] = {
    "state": "scheduled",
    "error_code": "overdue_in_postiz",
    "released_at": func.now() - timedelta(minutes=10),
    "publish_at": func.now() - timedelta(minutes=10),
    "track_at": func.now() + timedelta(hours=1),
}


def change(world: World, ids: list[int], **values: Any) -> None:
    with world.database.transaction() as session:
        session.execute(update(Post).where(Post.id.in_(ids)).values(values))


def verdict(world: World) -> Verdict:
    with world.database.transaction() as session:
        [health] = server_health.read_health(session, EVERY_PROFILE)
        return health.verdict


def events(world: World) -> list[str]:
    with world.database.transaction() as session:
        told = select(Delivery.event).where(Delivery.event.startswith("server."))
        return list(session.scalars(told.order_by(Delivery.id)))


def listen(world: World) -> None:
    with world.database.transaction() as session:
        session.add(
            Webhook(
                url="http://127.0.0.1:9/",
                events=["server.stalled", "server.recovered"],
                secret=b"sealed",
            )
        )


def releasable(world: World) -> int:
    return len(server_turns.find_releasable(world.runtime)[0])


def test_nothing_more_is_released_until_something_is_published_again(world: World) -> None:
    listen(world)
    stuck = make_posts(world, "acme", ["a", "b", "c"])
    [waiting] = make_posts(world, "acme", ["waits"])
    due = {"state": "staged", "release_at": func.now(), "publish_at": func.now()}
    change(world, [waiting], **due)
    change(world, stuck[:2], **OVERDUE)
    change(world, stuck[2:], state="scheduled", released_at=func.now())
    sweep.run_sweep(world.runtime)
    assert (verdict(world), releasable(world), events(world)) == (Verdict.WELL, 1, [])
    change(world, stuck, **OVERDUE)
    for _ in range(2):
        sweep.run_sweep(world.runtime)
    assert (verdict(world), releasable(world)) == (Verdict.STALLED, 0)
    assert events(world) == ["server.stalled"]
    now = func.now()
    change(world, stuck[:1], state="published", error_code=None, released_at=now, published_at=now)
    for _ in range(2):
        sweep.run_sweep(world.runtime)
    assert (verdict(world), releasable(world)) == (Verdict.WELL, 1)
    assert events(world) == ["server.stalled", "server.recovered"]


def test_an_old_post_that_is_overdue_hides_no_new_stall(world: World) -> None:
    ids = make_posts(world, "acme", ["old", "published", "a", "b", "c"])
    long_ago = func.now() - timedelta(hours=5)
    change(world, ids, **OVERDUE)
    change(world, ids[:1], released_at=long_ago, publish_at=long_ago)
    published = func.now() - timedelta(hours=1)
    change(world, ids[1:2], state="published", error_code=None, published_at=published)
    sweep.run_sweep(world.runtime)
    assert verdict(world) is Verdict.STALLED
    change(world, ids[4:], state="cancelled", error_code=None)
    sweep.run_sweep(world.runtime)
    assert verdict(world) is Verdict.WELL


def test_posts_published_before_these_were_due_say_nothing(world: World) -> None:
    """They stood in Postiz's calendar for long."""
    ids = make_posts(world, "acme", ["before", "a", "b", "c"])
    change(world, ids, **OVERDUE)
    earlier = func.now() - timedelta(minutes=30)
    change(world, ids[1:], released_at=func.now() - timedelta(hours=3))
    change(world, ids[:1], state="published", error_code=None, published_at=earlier)
    sweep.run_sweep(world.runtime)
    assert verdict(world) is Verdict.STALLED


def test_a_post_that_is_looked_at_late_hides_no_stall(world: World) -> None:
    """Unless it was seen to be overdue: then it was published since."""
    ids = make_posts(world, "acme", ["before", "a", "b", "c"])
    change(world, ids, **OVERDUE)
    due = func.now() - timedelta(minutes=11)
    seen = {"state": "published", "error_code": None, "published_at": func.now()}
    change(world, ids[:1], released_at=due, publish_at=due, **seen)
    sweep.run_sweep(world.runtime)
    assert verdict(world) is Verdict.STALLED
    with world.database.transaction() as session:
        transitions.add_events(session, ids[:1], "overdue_in_postiz")
    sweep.run_sweep(world.runtime)
    assert verdict(world) is Verdict.SLOW


def test_a_server_whose_accounts_all_fail_is_unreachable(world: World) -> None:
    make_posts(world, "acme", ["a"], in_seconds=600)
    with world.database.transaction() as session:
        session.execute(update(Account).values(failures=1))
    assert verdict(world) is Verdict.UNREACHABLE


def test_another_server_goes_on(world: World) -> None:
    [waiting] = make_posts(world, "acme", ["goes"])
    change(world, [waiting], state="staged", release_at=func.now(), publish_at=func.now())
    with world.database.transaction() as session:
        session.add(Server(server="https://elsewhere.example", stalled_since=func.now()))
    assert releasable(world) == 1


def test_a_postiz_whose_workers_stop_gets_nothing_more_and_then_all_at_its_pace(
    world: World,
) -> None:
    quick = world.settings.model_copy(update={"overdue_seconds": 2.0})
    world.runtime.settings = quick
    world.sandbox.change_timing(workers_stopped=True)
    first = make_posts(world, "acme", ["a", "b", "c"])
    world.until(lambda: verdict(world) is Verdict.STALLED)
    later = make_posts(world, "acme", [f"later {number}" for number in range(8)])
    world.until_all(PostState.STAGED, later)
    for _ in range(3):
        world.until(lambda: True)
        sweep.run_tick(world.runtime)
        world.work()
    assert len(released_at(world)) == len(first)
    assert world.states(later) == [PostState.STAGED] * len(later)
    world.sandbox.change_timing(workers_stopped=False)
    world.until_all(PostState.PUBLISHED, [*first, *later])
    sent = [send["content"] for send in world.sandbox.sends()]
    assert sorted(sent) == sorted(["a", "b", "c", *(f"later {number}" for number in range(8))])
    moments = released_at(world)[len(first) :]
    pace = world.settings.writes_per_second
    within = [sum(0 <= other - moment < 1 for other in moments) for moment in moments]
    assert max(within) <= pace + 1


def released_at(world: World) -> list[float]:
    """When Postiz was asked to publish something."""
    calls = world.sandbox.ledger(kind="request")
    changes = (call for call in calls if call["route"] == "PUT /posts/:id/status")
    return [call["time"] for call in changes if "pressroom-probe" not in call["path"]]
