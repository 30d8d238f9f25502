"""What unclear calls and given-up ids leave in Postiz is deleted, whatever the looking meets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from shared.domain.publishing.states import PostState
from shared.models import Submission
from shared.net.outbound_route import Route
from shared.postiz.client import Postiz
from shared.postiz.discovery import not_saved
from shared.postiz.payloads import Element
from shared.posts import transitions
from tests.factories.posts import make_due, make_posts
from tests.factories.profiles import KEY
from tests.workers.inline_tasks import release_due
from tests.workers.world import World
from worker.staging import orphan_drafts

pytestmark = pytest.mark.usefixtures("a_profile")


def drafts(world: World) -> list[dict[str, Any]]:
    return [
        post for post in world.sandbox.posts() if post["state"] == "DRAFT" and not post["deleted"]
    ]


def staged(world: World) -> list[int]:
    ids = make_posts(world, "acme", ["once"], in_seconds=600)
    world.until_all(PostState.STAGED, ids)
    return ids


def abandoned(world: World) -> Submission:
    with world.database.transaction() as session:
        return session.scalars(select(Submission).where(Submission.state == "abandoned")).one()


def land_late(world: World) -> None:
    """The abandoned request runs in Postiz after all; its window is due for a look."""
    call = abandoned(world)
    element = Element(integration_id="int-mastodon", content="once", settings={})
    route = Route(allow_private=True)
    Postiz(base_url=world.api_url, api_key=KEY, check=not_saved, route=route).stage(
        call.marker_at, [element]
    )
    with world.database.transaction() as session:
        session.execute(update(Submission).values(litter_at=call.sent_at))


@pytest.mark.parametrize("kind", ["empty_401", "error_500_before", "reply_lost_before"])
@pytest.mark.parametrize("route", ["GET /posts", "DELETE /posts/:id"])
def test_a_look_for_litter_that_came_to_nothing_is_made_again_at_once(
    world: World, kind: str, route: str
) -> None:
    """Not only when the litter is twice as old: the draft stands in somebody's calendar."""
    world.sandbox.add_fault("reply_lost_before", route="POST /posts", times=1)
    staged(world)
    land_late(world)
    world.sandbox.add_fault(kind, route=route, times=1)
    before = datetime.now(UTC)
    orphan_drafts.delete_orphans(world.runtime, world.account().id)
    next_look = abandoned(world).litter_at
    assert next_look is not None
    assert next_look - before < timedelta(seconds=world.settings.lease_seconds)
    assert len(drafts(world)) == 2
    world.until(lambda: len(drafts(world)) == 1)


@pytest.mark.parametrize("kind", ["empty_401", "error_500_before", "reply_lost_before"])
def test_a_draft_that_was_given_up_is_deleted_though_the_first_try_fails(
    world: World, kind: str
) -> None:
    ids = staged(world)
    with world.database.transaction() as session:
        transitions.retire_handovers(session, ids, "of the test", discard=True)
        transitions.fail_posts(
            session, ids, PostState.STAGED, code="of_the_test", message="of the test"
        )
    world.sandbox.add_fault(kind, route="DELETE /posts/:id", times=1)
    world.until(lambda: drafts(world) == [])


def test_an_id_that_postiz_no_longer_knows_is_looked_for_once(world: World) -> None:
    """It answers 500 for an unknown id; the account is none the worse for it."""
    ids = staged(world)
    with world.database.transaction() as session:
        transitions.retire_handovers(session, ids, "of the test", discard=True)
        transitions.fail_posts(
            session, ids, PostState.STAGED, code="of_the_test", message="of the test"
        )
    world.sandbox.reset()
    orphan_drafts.delete_orphans(world.runtime, world.account().id)
    with world.database.transaction() as session:
        assert orphan_drafts.find_due_accounts(session) == []
    assert world.account().failures == 0


def test_a_stray_draft_is_not_deleted_while_a_release_is_due_on_its_server(world: World) -> None:
    """A delete is a write like a release, and a server bears few of them."""
    world.sandbox.add_fault("reply_lost_before", route="POST /posts", times=1)
    ids = staged(world)
    land_late(world)
    make_due(world, ids)
    orphan_drafts.delete_orphans(world.runtime, world.account().id)
    assert len(drafts(world)) == 2
    release_due(world.runtime)
    world.until(lambda: drafts(world) == [], seconds=20)
