"""PATCH /accounts: limits of the owner's own, on calls and on posts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from shared.models import Account
from tests.factories.profiles import KEY, make_profile
from tests.servers.api import Api
from tests.workers.world import World
from worker.accounts import leases


def account(api: Api) -> dict[str, Any]:
    [found] = api.get("/accounts").json["items"]
    return dict(found)


def patch(api: Api, body: Any, **more: Any) -> Any:
    return api.call("PATCH", f"/accounts/{account(api)['id']}", json=body, **more)


def learn(api: Api, limit: int, used: int) -> None:
    ends = datetime.now(UTC) + timedelta(minutes=30)
    with api.services.database.transaction() as session:
        values = {"budget_limit": limit, "budget_used": used, "window_ends_at": ends}
        session.execute(update(Account).values(values))


def test_an_owners_limit_holds_until_postiz_tells_a_lower_one(api: Api) -> None:
    assert account(api)["budget_reserve"] is None
    assert patch(api, {"budget_limit": 20}).status_code == 200
    shown = account(api)
    assert (shown["budget_limit"], shown["budget_remaining"]) == (20, 20)
    learn(api, 90, 12)
    shown = account(api)
    assert (shown["budget_limit"], shown["limit_override"]) == (20, 20)
    assert (shown["budget_remaining"], shown["budget_reserve"]) == (8, 2)
    learn(api, 10, 4)
    assert (account(api)["budget_limit"], account(api)["budget_remaining"]) == (10, 6)
    shown = patch(api, {"budget_limit": None}).json
    assert (shown["budget_limit"], shown["limit_override"]) == (10, None)


def test_an_owner_may_say_that_postiz_allows_more_than_it_told_last(api: Api) -> None:
    """It tells only in the reply to a counted call: one is made on the owner's word."""
    learn(api, 10, 10)
    assert account(api)["budget_remaining"] == 0
    shown = patch(api, {"budget_limit": 30}).json
    assert (shown["budget_limit"], shown["budget_remaining"]) == (30, 20)
    learn(api, 10, 11)
    shown = patch(api, {"budget_limit": 30}).json
    assert (shown["budget_limit"], shown["budget_remaining"]) == (10, 0), "nothing new was said"


def test_what_is_kept_back_may_be_chosen_and_what_is_not_named_stays(api: Api) -> None:
    learn(api, 90, 0)
    assert account(api)["budget_reserve"] == 3
    assert patch(api, {"budget_reserve": 7}).json["budget_reserve"] == 7
    assert patch(api, {"budget_limit": 50}).json["budget_reserve"] == 7
    assert patch(api, {"budget_reserve": 0}).json["budget_reserve"] == 0
    assert patch(api, {"budget_reserve": None}).json["budget_reserve"] == 3
    assert patch(api, {}).json["budget_limit"] == 50


def test_rules_are_merged_key_by_key_and_shown(api: Api) -> None:
    patch(api, {"rule_overrides": {"x": {"characters": 4000}, "tiktok": {"posts_per_day": 25}}})
    shown = patch(
        api, {"rule_overrides": {"tiktok": None, "int-x": {"posts_per_15_minutes": None}}}
    )
    assert shown.json["rule_overrides"] == {
        "x": {"characters": 4000},
        "int-x": {"posts_per_15_minutes": None},
    }
    assert account(api)["rule_overrides"] == shown.json["rule_overrides"]
    assert patch(api, {"rule_overrides": None}).json["rule_overrides"] == {}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"rule_overrides": {"orkut": {"characters": 1}}}, "rule_overrides.orkut"),
        ({"rule_overrides": {"x": {"letters": 1}}}, "rule_overrides.x.letters"),
        ({"rule_overrides": {"x": {"characters": "1"}}}, "rule_overrides.x.characters"),
        ({"rule_overrides": {"x": 3}}, "rule_overrides.x"),
        ({"rule_overrides": []}, "rule_overrides"),
        ({"budget_limit": 0}, "budget_limit"),
        ({"budget_limit": "9"}, "budget_limit"),
        ({"budget_limit": 10**12}, "budget_limit"),
        ({"budget_reserve": -1}, "budget_reserve"),
        ({"budget_reserve": 1.5}, "budget_reserve"),
        ({"budget": 3}, "budget"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_changed(
    api: Api, body: dict[str, Any], field: str
) -> None:
    before = account(api)
    reply = patch(api, {"budget_reserve": 1, **body})
    assert reply.status_code == 400, reply.text
    assert field in [fault["field"] for fault in reply.json["errors"]]
    assert account(api) == before


def test_only_a_key_that_may_change_settings_of_all_its_profiles_may(api: Api) -> None:
    assert patch(api, {"budget_limit": 1}, key=api.key("read", "publish")).status_code == 403
    api.post("/profiles", {"id": "b", "name": "B"})
    stranger = api.key("read", "settings", profiles=["b"])
    assert patch(api, {"budget_limit": 1}, key=stranger).status_code == 404
    own = api.key("read", "settings", profiles=["acme"])
    assert patch(api, {"budget_limit": 1}, key=own).status_code == 200
    assert api.call("PATCH", "/accounts/999", json={}).status_code == 404


def test_the_worker_spends_no_more_than_the_owner_allows(world: World) -> None:
    make_profile(world, key=KEY)
    with world.database.transaction() as session:
        one = session.scalars(select(Account)).one()
        one.limit_override, one.budget_reserve = 5, 2
        spent = [leases.reserve_call(session, one, due_at=one.created_at) for _ in range(5)]
        parked = [leases.reserve_call(session, one, due_at=None) for _ in range(3)]
    assert spent == [True, True, True, False, False]
    assert parked == [True, True, False]
