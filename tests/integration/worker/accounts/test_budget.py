"""What a counted call is charged, in its own window, whatever comes of it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, update

from shared.errors import Budget, CredentialsRejected
from shared.models import Account
from shared.profiles.credential_ref import CredentialRef
from tests.factories.posts import make_posts
from tests.workers.world import World
from worker.accounts import leases
from worker.staging import stage, submissions

pytestmark = pytest.mark.usefixtures("a_profile")


def used_up_to(world: World, used: int, *, ends_in: float) -> None:
    ends_at = func.now() + timedelta(seconds=ends_in)
    values = {"budget_limit": 90, "budget_used": used, "window_ends_at": ends_at}
    with world.database.transaction() as session:
        session.execute(update(Account).values(values))


def make_one_call(world: World) -> None:
    call = submissions.prepare_call(world.runtime, world.account().id)
    assert call is not None
    stage._run_call(world.runtime, call)


def test_a_call_across_the_end_of_a_window_is_charged_to_the_new_one_alone(world: World) -> None:
    """Postiz begins an hour with it; what was used of the one before is over."""
    used_up_to(world, 85, ends_in=30)
    make_posts(world, "acme", ["across"])
    make_one_call(world)
    account = world.account()
    assert account.budget_used == 1
    assert account.window_ends_at is not None
    assert account.window_ends_at > datetime.now(UTC) + timedelta(minutes=50)


@pytest.mark.parametrize(
    ("fault", "charged"),
    [
        ("reply_lost_before", 1),
        ("reply_lost_after", 1),
        ("error_500_before", 1),
        ("truncated_reply", 1),
        ("empty_401", 0),
    ],
)
def test_only_what_postiz_certainly_did_not_count_is_returned(
    world: World, fault: str, charged: int
) -> None:
    world.sandbox.add_fault(fault, route="POST /posts", times=1)
    make_posts(world, "acme", ["once"])
    make_one_call(world)
    assert world.account().budget_used == charged


def test_a_refusal_that_tells_the_budget_leaves_it_as_told(world: World) -> None:
    """A plan's limit is met in a call that Postiz has counted already."""
    used_up_to(world, 6, ends_in=1800)
    refusal = CredentialsRejected("the plan's limit is reached", code="plan_limit")
    ends_at = datetime.now(UTC) + timedelta(minutes=30)
    refusal.budget = Budget(limit=90, remaining=80, resets_at=ends_at)
    credentials = CredentialRef(
        profile_id="acme", version=1, account_id=world.account().id, key_hash="another"
    )
    with world.database.transaction() as session:
        leases.fail_call(session, credentials, refusal)
    assert world.account().budget_used == 10
