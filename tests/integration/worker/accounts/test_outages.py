"""An outage is over for its accounts within seconds, and nobody hammers a Postiz that is away."""

import pytest
from sqlalchemy import Interval, func, select, type_coerce, update

from shared.domain.publishing.states import PostState
from shared.models import Account, Server
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile
from tests.workers.world import World
from worker.accounts import leases, outage_probe
from worker.staging import stage


@pytest.fixture(autouse=True)
def long_rests(short_rests: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rest is as long as they get."""
    monkeypatch.setattr(leases, "backoff_seconds", lambda _failures: 300.0)


def away(world: World) -> None:
    world.sandbox.add_fault("empty_401", route="*")


def rest(world: World, profile_id: str = "acme") -> int:
    """An account that has met the outage; its number."""
    account_id = world.account(profile_id).id
    stage.stage_posts(world.runtime, account_id)
    assert world.account(profile_id).retry_at is not None
    return account_id


def seconds_pass(world: World) -> None:
    with world.database.transaction() as session:
        for table in (Account, Server):
            later = update(table).where(table.probe_at.is_not(None))
            session.execute(later.values(probe_at=table.probe_at - outage_probe.PAUSE))


def due(world: World) -> list[int]:
    with world.database.transaction() as session:
        return list(outage_probe.find_due_accounts(session))


def requests(world: World) -> list[str]:
    return [row["method"] for row in world.sandbox.ledger(kind="request")]


def test_what_waited_goes_on_soon_after_the_outage_though_the_rest_is_long(world: World) -> None:
    make_profile(world, key=KEY)
    away(world)
    ids = make_posts(world, "acme", ["patience"])
    account_id = rest(world)
    assert due(world) == []  # not at once
    seconds_pass(world)
    assert due(world) == [account_id]
    before = len(requests(world))
    outage_probe.probe_account(world.runtime, account_id)
    outage_probe.probe_account(world.runtime, account_id)  # somebody else was asked too
    assert requests(world)[before:] == ["GET"]
    assert due(world) == []
    assert world.post(ids[0]).attempts == 0
    world.sandbox.clear_faults()
    seconds_pass(world)
    world.until_all(PostState.PUBLISHED, ids)
    assert world.account().failures == 0
    assert world.account().probe_at is None


def test_a_server_is_read_from_by_one_of_its_accounts_at_a_time(world: World) -> None:
    """And by the next one soon after an answer."""
    make_profile(world, key=KEY)
    resting = []
    for name in ("beta", "gamma"):
        listed = [{"id": f"int-{name}", "name": name, "identifier": "mastodon"}]
        world.sandbox.create_org(name, keys=[f"key-of-{name}"], integrations=listed)
        make_profile(world, name, key=f"key-of-{name}")
    away(world)
    for name in ("acme", "beta", "gamma"):
        channel = "int-mastodon" if name == "acme" else f"int-{name}"
        make_posts(world, name, ["x"], integration=channel, in_seconds=600)
        resting.append(rest(world, name))
    seconds_pass(world)
    for _ in range(3):
        seconds_pass(world)
        [asked] = due(world)
        outage_probe.probe_account(world.runtime, asked)
        assert due(world) == []
        resting.remove(asked)  # each in turn
    world.sandbox.clear_faults()
    seconds_pass(world)
    [asked] = due(world)
    outage_probe.probe_account(world.runtime, asked)
    with world.database.transaction() as session:
        session.execute(update(Account).values(probe_at=func.now()))
        until_probe = type_coerce(Server.probe_at - func.now(), Interval)
        soon = session.scalars(select(until_probe)).one()
    assert soon <= outage_probe.NEXT_ACCOUNT


def test_a_write_that_fails_while_reads_are_answered_rests_for_long(world: World) -> None:
    """Each would cost an attempt, and a counted call."""
    make_profile(world, key=KEY)
    world.sandbox.add_fault("error_500_before", route="POST /posts")
    make_posts(world, "acme", ["x"])
    rest(world)
    assert world.account().probe_at is None
    seconds_pass(world)
    assert due(world) == []
