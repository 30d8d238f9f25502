"""Holds: a fact about one key stops what goes out with that key, and nothing else."""

import math

import pytest
from alembic import command
from sqlalchemy import select, text

from local.postgres import Postgres
from shared.accounts.merging import merge_accounts
from shared.config import read_settings
from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.errors import ProfileGone
from shared.migrate import alembic_config, migrate_database
from shared.models import Account, Hold
from shared.postiz.client import Postiz
from shared.profiles import deletion
from shared.profiles.credential_ref import CredentialRef
from tests.factories.posts import make_posts
from tests.factories.profiles import KEY, make_profile, save_key
from tests.servers.api import Api
from tests.workers.world import World
from worker.accounts import leases, postiz_call
from worker.retention import prune
from worker.staging import stage

SECOND, THIRD = "second-key-of-acme", "third-key-of-acme"


def two_profiles(world: World) -> None:
    """`acme` and `beta`, with two keys of one organization."""
    world.sandbox.patch_org("acme", add_keys=[SECOND])
    make_profile(world, "acme", key=KEY)
    make_profile(world, "beta", key=SECOND)
    assert world.account("acme").id == world.account("beta").id


def test_two_refused_keys_of_one_account_do_not_free_each_other(world: World) -> None:
    two_profiles(world)
    world.sandbox.patch_org("acme", add_keys=[THIRD], revoke_keys=[KEY, SECOND])
    mine, theirs = make_posts(world, "acme", ["a"]), make_posts(world, "beta", ["b"])
    before = len(world.sandbox.ledger(kind="request"))
    for _ in range(3):
        stage.stage_posts(world.runtime, world.account().id)
    assert len(world.sandbox.ledger(kind="request")) - before <= 2  # each was refused once
    assert world.holds("acme") == world.holds("beta") == ["credentials_rejected"]
    save_key(world, "beta", key=THIRD)
    world.until_all(PostState.PUBLISHED, theirs)
    assert world.states(mine) == [PostState.PENDING]  # a key that is good lifts no other's hold
    assert world.holds("acme") == ["credentials_rejected"]
    assert world.holds("beta") == []


def test_a_refused_key_holds_no_post_of_another_key(world: World) -> None:
    two_profiles(world)
    world.sandbox.patch_org("acme", revoke_keys=[KEY])
    mine, theirs = make_posts(world, "acme", ["a"]), make_posts(world, "beta", ["b"])
    world.until_all(PostState.PUBLISHED, theirs)
    world.until(lambda: world.holds() == ["credentials_rejected"])
    assert world.states(mine) == [PostState.PENDING]


def test_a_profile_that_is_deleted_in_the_middle_of_its_call_holds_nobody(world: World) -> None:
    make_profile(world, "acme", key=KEY)
    make_profile(world, "beta", key=KEY)
    account = world.account("beta")
    credentials = CredentialRef(
        profile_id="acme", version=1, account_id=account.id, key_hash=account.key_hash
    )

    def delete_and_call(postiz: Postiz) -> None:
        with world.database.transaction() as session:
            deletion.begin_removal(session, "acme", force=True)
        storage = world.runtime.storage
        assert deletion.continue_removal(world.database, storage, "acme", until=math.inf)
        postiz.connected()

    with pytest.raises(ProfileGone) as caught:
        postiz_call.make_call(world.runtime, credentials, delete_and_call)
    with world.database.transaction() as session:
        leases.record_failure(session, credentials, caught.value)
    assert (world.holds("beta"), world.account("beta").failures) == ([], 0)
    world.until_all(PostState.PUBLISHED, make_posts(world, "beta", ["goes on"]))


def test_holds_move_with_the_account_and_go_with_the_last_profile_of_their_key(
    world: World,
) -> None:
    two_profiles(world)
    with world.database.transaction() as session:
        account = session.get_one(Account, world.account().id)
        other = Account(server=account.server, key_hash="other")
        session.add(other)
        session.flush()
        for account_id in (account.id, other.id):
            session.add(Hold(account_id=account_id, key_hash="k", reason="plan_limit", message="m"))
        session.add(Hold(account_id=other.id, key_hash="l", reason="plan_limit", message="m"))
        session.flush()
        merge_accounts(session, other.id, account)
        rows = select(Hold.account_id, Hold.key_hash).order_by(Hold.key_hash)
        assert [tuple(row) for row in session.execute(rows)] == [
            (account.id, "k"),
            (account.id, "l"),
        ]
        assert prune.delete_unused_holds(session, world.settings) == 2


def test_a_held_key_is_shown_without_itself_to_those_who_see_its_profile(api: Api) -> None:
    """And another profile's hold is none of one's business."""
    assert api.get("/accounts").json["items"][0]["holds"] == []
    with api.services.database.transaction() as session:
        account = session.scalars(select(Account)).one()
        message = "Postiz refused the key"
        row = {"account_id": account.id, "key_hash": account.key_hash, "message": message}
        session.add(Hold(reason="credentials_rejected", **row))
    [shown] = api.get("/accounts").json["items"]
    assert shown["held"] == "credentials_rejected"
    [hold] = shown["holds"]
    assert hold["since"]
    assert (hold["profile_id"], hold["reason"], hold["message"]) == (
        "acme",
        "credentials_rejected",
        message,
    )
    assert account.key_hash not in api.get("/accounts").text


def test_the_migration_carries_holds_over_and_back(postgres: Postgres) -> None:
    postgres.create_database("old_holds")
    url = postgres.url("old_holds")
    settings = read_settings({"DATABASE_URL": url})
    migrate_database(settings)
    command.downgrade(alembic_config(url), "0012")
    database = Database.connect(settings)
    with database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO accounts (server, key_hash, held, held_key, holds_told, budget_used) "
                "VALUES ('s', 'k', 'plan_limit', 'k', '{plan_limit k}', 0)"
            )
        )
    migrate_database(settings)
    with database.transaction() as session:
        assert [(row.key_hash, row.reason) for row in session.scalars(select(Hold))] == [
            ("k", "plan_limit")
        ]
    command.downgrade(alembic_config(url), "0012")
    with database.transaction() as session:
        held = session.execute(text("SELECT held, held_key, holds_told FROM accounts")).one()
        assert tuple(held) == ("plan_limit", "k", ["plan_limit k"])
    database.close()
    postgres.drop_database("old_holds")
