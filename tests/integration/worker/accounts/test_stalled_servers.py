"""A Postiz that takes posts and publishes none: it is noticed, and the rest waits for it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from shared.access.visible_profiles import EVERY_PROFILE
from shared.accounts import server_health
from shared.domain.publishing.server_verdicts import Verdict
from shared.models import Account, Delivery, Post, Server, Webhook
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
