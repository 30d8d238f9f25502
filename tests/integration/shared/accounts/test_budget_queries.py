"""What is read of accounts: the calls that are left, and what they have still to hand over."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.access.visible_profiles import EVERY_PROFILE, VisibleProfiles
from shared.accounts import budget_queries, holds
from shared.accounts.budget_queries import AccountRead, budget_remaining
from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.models import Account, Integration, Profile
from tests.factories.rows import Rows

S = PostState
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def other(rows: Rows) -> Rows:
    """Another account, made after that of `rows`."""
    return Rows(rows.database)


def add_profile(rows: Rows, profile_id: str, **values: object) -> str:
    known = {"name": "P", "account_id": rows.account_id, "key_hash": rows.key_hash}
    with rows.database.transaction() as session:
        session.add(Profile(**{"id": profile_id, **known, **values}))
    return profile_id


def read_profiles(
    database: Database, *profile_ids: str, after: int | None = None, limit: int = 100
) -> list[AccountRead]:
    with database.transaction() as session:
        return budget_queries.read_profile_accounts(
            session, VisibleProfiles.only(profile_ids), after=after, limit=limit
        )


def read_all(database: Database, *, after: int | None, limit: int = 100) -> list[int]:
    with database.transaction() as session:
        found = budget_queries.read_profile_accounts(
            session, EVERY_PROFILE, after=after, limit=limit
        )
        return [read.account.id for read in found]


def read_one(rows: Rows, visible: VisibleProfiles = EVERY_PROFILE) -> AccountRead:
    with rows.database.transaction() as session:
        [read] = budget_queries.read_accounts(
            session, [session.get_one(Account, rows.account_id)], visible
        )
        return read


# The calls that are left


@pytest.mark.parametrize(
    ("values", "left"),
    [
        ({}, None),
        ({"limit_override": 20}, 20),
        ({"budget_limit": 90}, 90),
        ({"budget_limit": 90, "budget_used": 4, "window_ends_at": NOW + SECOND}, 86),
        ({"budget_limit": 90, "budget_used": 4}, 86),
        ({"budget_limit": 90, "budget_used": 4, "window_ends_at": NOW}, 90),
        ({"budget_limit": 90, "budget_used": 4, "window_ends_at": NOW - SECOND}, 90),
        ({"budget_limit": 90, "budget_used": 4, "limit_override": 30}, 26),
        ({"budget_limit": 90, "budget_used": 90, "window_ends_at": NOW + SECOND}, 0),
        ({"budget_limit": 90, "budget_used": 95, "window_ends_at": NOW + SECOND}, 0),
        ({"budget_limit": 90, "budget_used": 89, "window_ends_at": NOW + SECOND}, 1),
    ],
)
def test_what_is_left_of_a_window(values: dict[str, object], left: int | None) -> None:
    account = Account(**{"budget_used": 0, **values})
    assert budget_remaining(account, NOW) == left


def test_a_budget_is_of_postiz_and_of_its_owner() -> None:
    account = Account(
        budget_limit=90,
        budget_used=7,
        window_ends_at=NOW,
        blocked_until=NOW + SECOND,
        limit_override=50,
        budget_reserve=2,
    )
    state = budget_queries.budget_state(account)
    assert (state.limit, state.used, state.own_limit, state.own_reserve) == (90, 7, 50, 2)
    assert (state.window_ends_at, state.blocked_until) == (NOW, NOW + SECOND)
    assert (state.most, state.kept) == (50, 2)


# Which accounts


def test_the_accounts_of_profiles_come_by_id_and_each_once(rows: Rows, other: Rows) -> None:
    second = add_profile(rows, f"{rows.profile_id}-b")
    found = read_profiles(rows.database, other.profile_id, second, rows.profile_id)
    assert [read.account.id for read in found] == [rows.account_id, other.account_id]
    assert [list(read.profile_ids) for read in found] == [
        [rows.profile_id, second],
        [other.profile_id],
    ]


def test_of_profiles_without_an_account_none_is_read(rows: Rows) -> None:
    alone = add_profile(rows, f"{rows.profile_id}-alone", account_id=None, key_hash=None)
    assert read_profiles(rows.database, alone) == []
    assert read_profiles(rows.database) == []


def test_accounts_are_read_page_by_page(rows: Rows, other: Rows) -> None:
    both = rows.profile_id, other.profile_id
    [first] = read_profiles(rows.database, *both, limit=1)
    assert first.account.id == rows.account_id
    [second] = read_profiles(rows.database, *both, after=rows.account_id)
    assert second.account.id == other.account_id
    assert read_profiles(rows.database, *both, after=other.account_id) == []


def test_all_accounts_are_those_that_a_profile_uses(rows: Rows, other: Rows) -> None:
    with rows.database.transaction() as session:
        unused = Account(server="https://unused.example", key_hash="unused")
        session.add(unused)
        session.flush()
        unused_id = unused.id
    before = rows.account_id - 1
    found = read_all(rows.database, after=before)
    assert found[:2] == [rows.account_id, other.account_id]
    assert unused_id not in found
    assert read_all(rows.database, after=before, limit=1) == [rows.account_id]
    assert rows.account_id in read_all(rows.database, after=None)


# What is read of each


def test_an_account_is_read_with_its_profiles_by_id(rows: Rows, other: Rows) -> None:
    later, sooner = f"{rows.profile_id}-z", f"{rows.profile_id}-a"
    add_profile(rows, later)
    add_profile(rows, sooner)
    assert read_one(rows).profile_ids == [rows.profile_id, sooner, later]
    assert read_one(rows, VisibleProfiles.only([later, other.profile_id])).profile_ids == [later]


def test_its_channels_are_those_that_postiz_lists_by_name(rows: Rows, other: Rows) -> None:
    def channel(channel_id: str, name: str, *, listed: bool = True) -> Integration:
        return Integration(
            account_id=rows.account_id,
            id=f"{channel_id}-{rows.integration_id}",
            server=rows.server,
            name=name,
            identifier="x",
            listed=listed,
        )

    with rows.database.transaction() as session:
        named = [channel("b", "Same"), channel("a", "Same"), channel("z", "Alpha")]
        session.add_all([*named, channel("gone", "Away", listed=False)])
    names = [(row.name, row.id.split("-")[0]) for row in read_one(rows).integrations]
    assert names == [("Alpha", "z"), ("Channel", "int"), ("Same", "a"), ("Same", "b")]
    assert [row.id for row in read_one(other).integrations] == [other.integration_id]


def test_its_backlog_is_what_postiz_does_not_have_yet(rows: Rows, other: Rows) -> None:
    assert read_one(rows).backlog == 0
    for state in PostState:
        rows.posts(state)
    rows.posts(S.PENDING, 2)
    assert read_one(rows).backlog == 4 + 2  # pending, staging, staged, releasing
    assert read_one(other).backlog == 0


def test_what_is_held_is_told_of_its_own_account_and_profiles(rows: Rows, other: Rows) -> None:
    second = add_profile(rows, f"{rows.profile_id}-b", key_hash="another")
    with rows.database.transaction() as session:
        for of_it in (rows, other):
            holds.hold_key(
                session, of_it.account_id, of_it.key_hash, reason="plan_limit", message="No more."
            )
    [held] = read_one(rows).held
    assert (held.account_id, held.profile_id) == (rows.account_id, rows.profile_id)
    assert (held.reason, held.message) == ("plan_limit", "No more.")
    assert read_one(rows, VisibleProfiles.only([second])).held == []
    found = read_profiles(rows.database, rows.profile_id, other.profile_id)
    assert [[held.profile_id for held in read.held] for read in found] == [
        [rows.profile_id],
        [other.profile_id],
    ]


def test_it_says_when_it_was_read_by_the_databases_clock(rows: Rows) -> None:
    assert abs(read_one(rows).now - datetime.now(UTC)) < timedelta(minutes=5)
