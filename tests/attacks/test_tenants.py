"""Attack 3: no key acts on another profile's things, whatever became of settings and profiles."""

import json
import threading
from collections.abc import Collection, Iterator
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from local.sandbox.process import start_sandbox
from local.valkey import Valkey
from shared.access import api_keys
from shared.access.visible_profiles import OF_MANY, OF_ONE, VisibleProfiles, keep_visible_profiles
from shared.models import Account, ApiKey, Base, Delivery, Post, Profile, Webhook
from tests.attacks.tenants import (
    ACME,
    ANY_SUCCESS,
    BETA,
    EVERYTHING,
    HOOK,
    OPEN,
    OPERATOR,
    World,
    cases,
    found_world,
    operations,
)
from tests.servers.api import Api, Reply
from tests.servers.browsers import Browser, is_anybody_waiting, make_user
from tests.servers.settings import make_settings
from tests.timing.patience import PATIENCE, wait_until
from tests.timing.sandbox_timings import QUICK
from web.api import profiles as profiles_api


@pytest.fixture(scope="module")
def founded(
    module_database_url: str, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    home = tmp_path_factory.mktemp("tenants")
    with start_sandbox(home / "postiz", timing=QUICK, seed=[]) as postiz:
        api = Api(make_settings(module_database_url, home, REDIS_URL=valkey_server.url()))
        yield found_world(api, postiz)
        api.close()


@pytest.fixture
def world(founded: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(profiles_api, "DELETING_SECONDS", PATIENCE)
    founded.restore()
    return founded


def ask(world: World, operation: str, key: str | None, **more: Any) -> tuple[int, Any]:
    """The operation's case, with acme's ids in its path; status and JSON."""
    case = cases(world)[operation]
    method, path = operation.split(" ")
    ids = world.tenants[ACME].ids
    if "{id}" in path:
        kind = case.thing or path.partition("/{id}")[0].rpartition("/")[2]
        path = path.replace("{id}", ids[kind]).replace("{delivery_id}", ids["deliveries"])
    if case.body is not None:
        more["json"] = case.body
    if case.content is not None:
        more["data"] = case.content
    more["headers"] = {**case.headers, **more.get("headers", {})}
    profile = ACME if case.header else None
    reply = world.api.call(method, path + case.query, key=key, profile=profile, **more)
    try:
        is_json = reply.mimetype in {"application/json", "application/problem+json"}
        return reply.status_code, reply.json if is_json and reply.data else None
    finally:
        reply.close()


def test_every_operation_of_the_api_has_its_case(world: World) -> None:
    described = operations(world.api)
    without_key = {name for name, operation in described.items() if "security" not in operation}
    assert without_key == OPEN
    assert set(described) - OPEN == set(cases(world)), "say who may do it, in tests/attacks/tenants"


def test_who_is_nobody_s_key_gets_nothing_and_changes_nothing(world: World) -> None:
    """A stranger sees of acme what is not there; a key whose profile is gone is no key."""
    described = operations(world.api)
    for operation, case in cases(world).items():
        for key in (None, world.dead_key, "pr_" + "x" * 43):
            assert ask(world, operation, key)[0] == 401, operation
        status, shown = ask(world, operation, world.tenants[BETA].key)
        assert status in case.stranger, (operation, status, shown)
        if status == 202:
            assert shown["changed"] == 0, operation
        if (rows := listed_rows(shown)) is not None:
            assert rows, operation
            assert all(is_about_only(row, BETA) for row in rows), (operation, shown)
        if any(
            part["name"] == "X-Profile-Id" for part in described[operation].get("parameters", ())
        ):
            header = {"X-Profile-Id": ACME}
            status, _ = ask(world, operation, world.tenants[BETA].key, headers=header)
            assert status in {*case.stranger, 404} - {200, 202}, operation
    assert world.read_rows() == world.rows


def listed_rows(shown: Any) -> list[dict[str, Any]] | None:
    """Of an answer that is a list."""
    rows = shown.get("items") if isinstance(shown, dict) else None
    return rows if isinstance(rows, list) else None


def is_about_only(row: dict[str, Any], profile_id: str) -> bool:
    about = row.get("profile_ids") or [row.get("profile_id", row["id"])]
    return set(about) == {profile_id}


def test_attack_8_no_change_is_without_its_entry_and_no_entry_without_a_change(
    world: World,
) -> None:
    """Of all operations that there are, so of a new one too; once each, about whom it concerns."""
    owner = key_id(world, world.tenants[ACME].key)
    for operation in [name for name in cases(world) if not name.startswith("GET ")]:
        world.restore()
        ask(world, operation, world.tenants[ACME].key, headers={"User-Agent": "a" * 999})
        after = world.read_rows()
        changed = {name for name, rows in after.items() if rows != world.rows[name]}
        entries = [
            json.loads(row) for row in set(after["audit_entries"]) - {*world.rows["audit_entries"]}
        ]
        assert len(entries) == bool(changed), (operation, changed)
        for entry in entries:
            method, path = operation.split(" ")
            assert changed - {"audit_entries"}, operation
            assert entry["method"] == method
            assert entry["route"].endswith(path.replace("{", "<").replace("}", ">"))
            assert entry["profile_ids"] == [ACME]
            assert entry["actor_id"] == owner
            assert len(entry["user_agent"]) == 200
            assert entry["refused"] is None
            if "{id}" in path:
                assert entry["targets"], operation


def key_id(world: World, key: str) -> int | None:
    by_hash = select(ApiKey.id).where(ApiKey.key_hash == api_keys.hash_key(key))
    with world.api.services.database.transaction() as session:
        return session.scalar(by_hash)


@pytest.mark.parametrize("who", ["owner", "operator"])
def test_who_may_do_it_does_it(world: World, who: str) -> None:
    """So the stranger's refusals were about whose things they are."""
    key = world.tenants[ACME].key if who == "owner" else OPERATOR
    for operation, case in cases(world).items():
        allowed: Collection[int] = getattr(case, who)
        status, shown = ask(world, operation, key)
        assert status in allowed, (operation, status, shown)
        rows = listed_rows(shown)
        if rows is not None and operation.count("/") == 1 and not (case.common and who != "owner"):
            about = [row for row in rows if is_about_only(row, ACME)]
            assert about, operation
            assert (len(about) == len(rows)) == (who == "owner"), operation
        if "changed" in (shown or {}):
            assert shown["changed"] == 1, operation
        if not operation.startswith("GET"):
            world.restore()


def states(world: World) -> dict[str, str]:
    with world.api.services.database.transaction() as session:
        return {
            f"{post.profile_id} {post.content}": post.state
            for post in session.scalars(select(Post))
        }


@pytest.mark.parametrize("act", ["cancel", "retry"])
def test_attack_3_an_account_s_acts_leave_posts_of_a_profile_that_has_left_it(
    world: World, act: str
) -> None:
    """Its settings lead elsewhere by now; what it had in flight is there still."""
    acme = world.tenants[ACME]
    with world.api.services.database.transaction() as session:
        account_id = int(acme.ids["accounts"])
        session.execute(update(Post).where(Post.profile_id == BETA).values(account_id=account_id))
        users = session.scalars(select(Profile.id).where(Profile.account_id == account_id)).all()
    assert users == [ACME]
    before = states(world)
    reply = world.api.post(f"/accounts/{account_id}/{act}", key=acme.key)
    assert (reply.status_code, reply.json["changed"]) == (202, 1)
    changed = {name for name, state in states(world).items() if before[name] != state}
    assert {name.split()[0] for name in changed} == {ACME}
    [shown] = world.api.get("/accounts", key=acme.key).json["items"]
    assert shown["backlog"] <= 2, "of acme's own two posts"


@pytest.mark.parametrize("act", ["pause", "resume", "cancel", "retry"])
def test_an_account_that_another_profile_uses_is_not_one_s_own(world: World, act: str) -> None:
    account_id = world.tenants[ACME].ids["accounts"]
    with world.api.services.database.transaction() as session:
        session.execute(update(Profile).values(account_id=int(account_id)))
    before = world.read_rows()
    reply = world.api.post(f"/accounts/{account_id}/{act}", key=world.tenants[ACME].key)
    assert reply.status_code == 403
    assert world.read_rows() == before


def test_what_a_deleted_profile_was_told_and_held_is_nobody_s(world: World) -> None:
    api, beta = world.api, world.tenants[BETA]
    alone = api.post("/webhooks", {**HOOK, "profile_ids": [ACME, ACME]}).json["id"]
    both = api.post("/webhooks", {**HOOK, "profile_ids": [ACME, BETA]}).json["id"]
    wide = api.key("read", "settings", profiles=[ACME, BETA])
    assert api.call("DELETE", "/profiles/acme?force=true").status_code == 204
    for hook in (alone, world.tenants[ACME].ids["webhooks"]):
        for method, path in (("GET", ""), ("POST", "/rotate"), ("DELETE", "")):
            assert api.call(method, f"/webhooks/{hook}{path}", key=beta.key).status_code == 404
    assert api.get(f"/keys/{world.tenants[ACME].ids['keys']}", key=beta.key).status_code == 404
    assert api.get("/profiles", key=world.tenants[ACME].key).status_code == 401
    assert api.get(f"/webhooks/{both}", key=beta.key).json["profile_ids"] == [BETA]
    assert api.post("/profiles", {"id": ACME, "name": "another"}).status_code == 201
    assert api.get("/profiles/acme", key=wide).status_code == 404
    assert api.get("/profiles", key=world.tenants[ACME].key).status_code == 401


@pytest.mark.parametrize(
    ("path", "of_row"), [("/postiz/publish", False), ("/postiz/bulk-publish", True)]
)
@pytest.mark.parametrize("foreign", ["media_ids", "integration_ids"])
def test_another_s_media_and_channels_cannot_be_published(
    world: World, path: str, of_row: bool, foreign: str
) -> None:
    key = world.tenants[BETA].key
    own = {"caption": "hi", "integration_ids": ["int-beta"]}
    theirs = {"media_ids": [world.tenants[ACME].ids["media"]], "integration_ids": ["int-acme"]}
    row = {**own, foreign: theirs[foreign]}
    body = {"items": [row]} if of_row else row
    before = world.read_rows()
    assert world.api.post(path, body, key=key).status_code == 422
    if of_row:
        schedule = {"name": "s", "cron": "0 9 * * *", "bulk": body}
        assert world.api.post("/schedules", schedule, key=key).status_code == 422
    assert world.read_rows()["posts"] == before["posts"]


@pytest.mark.parametrize("table", ["api_keys", "webhooks"])
def test_a_binding_to_no_profile_cannot_be_stored(world: World, table: str) -> None:
    with (
        pytest.raises(IntegrityError, match="bound"),
        world.api.services.database.transaction() as session,
    ):
        session.execute(text(f"UPDATE {table} SET profile_ids = '{{}}'"))


def test_no_profiles_see_nothing_and_what_is_about_none_is_nobody_s(world: World) -> None:
    nobody, beta = VisibleProfiles.only(()), VisibleProfiles.only({BETA})
    with world.api.services.database.transaction() as session:
        session.execute(update(Delivery).values(profile_ids=[]))
        tables: list[type[Base]] = [*OF_ONE, *OF_MANY, Account]
        for table in tables:
            count = select(func.count()).select_from(table)
            assert session.scalar(count.where(nobody.condition(table))) == 0, table
        assert session.scalar(select(Delivery).where(beta.condition(Delivery))) is None
    assert not beta.sees_all([]) and not beta.sees_all(None) and not nobody.sees_all([])


def test_what_is_being_bound_to_a_profile_goes_with_it(world: World) -> None:
    """Else it would be the key of whichever client gets that name next."""
    api = world.api
    deletion = threading.Thread(
        target=lambda: api.call("DELETE", "/profiles/acme?force=true"), daemon=True
    )
    with api.services.database.transaction() as session:
        bound = keep_visible_profiles(session, [ACME], VisibleProfiles.only({ACME}))
        deletion.start()
        wait_for_lock(world)
        session.add(ApiKey(name="late", key_hash="x" * 64, profile_ids=bound, scopes=["read"]))
        session.add(Webhook(profile_ids=bound, secret="x", **HOOK))
    deletion.join(PATIENCE)
    with api.services.database.transaction() as session:
        assert session.get(Profile, ACME) is None
        for column in (ApiKey.profile_ids, Webhook.profile_ids):
            assert session.scalar(select(column).where(column.contains([ACME]))) is None


def wait_for_lock(world: World) -> None:
    """Until somebody waits for one that another transaction has."""
    wait_until(lambda: is_anybody_waiting(world.api), lambda: "nobody waited")


def test_a_stream_of_events_ends_with_its_key(world: World) -> None:
    api = world.api
    made = api.post("/keys", {"name": "k", "scopes": list(EVERYTHING), "profile_ids": [ACME]}).json
    job = world.tenants[ACME].ids["jobs"]
    reply = api.get(f"/jobs/{job}/events", key=made["key"])
    assert reply.status_code in ANY_SUCCESS
    assert api.call("DELETE", f"/keys/{made['id']}").status_code == 204
    assert_ends(reply)


def test_a_stream_of_events_ends_with_its_session(world: World) -> None:
    api = world.api
    browser = Browser.signed_in(api, make_user(api, role="publisher", profiles=[ACME]))
    job = world.tenants[ACME].ids["jobs"]
    reply = browser.get(f"/jobs/{job}/events")
    assert reply.status_code in ANY_SUCCESS
    assert browser.post("/session/end-everywhere").status_code == 204
    assert_ends(reply)


def assert_ends(stream: Reply) -> None:
    ended = threading.Thread(target=lambda: list(stream.response), daemon=True)
    ended.start()
    ended.join(PATIENCE)
    assert not ended.is_alive()
