"""A profile with a backlog costs another's single post no more than its turn."""

import time

from sqlalchemy import func, select

from shared.domain.states import PostState
from shared.models import Submission
from tests.world import KEY, World

BACKLOG = 40


def released(world: World) -> list[str]:
    """Contents in the order in which they were released."""
    ids = {post["id"]: post["content"] for post in world.sandbox.posts()}
    paths = [row["path"] for row in world.sandbox.ledger(kind="request") if row["method"] == "PUT"]
    return [ids[each] for path in paths if (each := path.split("/")[-2]) in ids]


def staged_for_later(
    world: World, profile: str, contents: list[str], integration: str = "int-mastodon"
) -> list[int]:
    """Staged, and Postiz at rest after it."""
    ids = world.job(profile, contents, in_seconds=600, integration=integration)
    world.until_all(PostState.STAGED, ids)
    time.sleep(world.settings.settle_seconds)
    return ids


def test_a_single_post_is_released_among_the_first_of_a_backlog(world: World) -> None:
    """Two profiles of one organization, and so of one account."""
    world.profile("acme", key=KEY)
    world.profile("small", key=KEY)
    assert world.account("acme").id == world.account("small").id
    many = staged_for_later(world, "acme", [f"many {n}" for n in range(BACKLOG)])
    single = staged_for_later(world, "small", ["single"])
    world.due_now(many)
    world.due_now(single)  # after all of them
    world.until_all(PostState.PUBLISHED, many + single, seconds=120)
    assert released(world).index("single") <= 2


def test_another_account_on_the_same_server_has_every_second_turn(world: World) -> None:
    world.sandbox.create_org(
        "other",
        keys=["key-of-other"],
        integrations=[{"id": "int-other", "name": "Other", "identifier": "mastodon"}],
    )
    world.profile("acme", key=KEY)
    world.profile("other", key="key-of-other")
    many = staged_for_later(world, "acme", [f"many {n}" for n in range(BACKLOG)])
    few = staged_for_later(world, "other", ["few 1", "few 2"], "int-other")
    world.due_now(many)
    world.due_now(few)
    world.until_all(PostState.PUBLISHED, many + few, seconds=120)
    order = released(world)
    assert max(order.index("few 1"), order.index("few 2")) <= 4


def test_a_single_post_is_staged_with_the_next_call_of_a_backlog(world: World) -> None:
    """Of one key: the call carries posts of both profiles, and needs no budget of its own."""
    world.profile("acme", key=KEY)
    world.profile("small", key=KEY)
    world.job("acme", [f"many {n} " + "x" * 2000 for n in range(100)], in_seconds=-60)
    single = world.job("small", ["single"])
    world.until(lambda: world.states(single) != [PostState.PENDING])
    world.until(lambda: world.states(single)[0] not in {PostState.PENDING, PostState.STAGING})
    with world.database.transaction() as session:
        submission = session.get_one(Submission, world.post(single[0]).submission_id)
        before = select(func.count()).where(Submission.id < submission.id)
        assert submission.elements > 1  # not in a call of its own
        assert (session.scalar(before) or 0) <= 1
