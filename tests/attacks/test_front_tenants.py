"""The Postiz-compatible front is as closed as our own API: by key, by profile, by audit."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.sandbox.process import start_sandbox
from local.valkey import Valkey
from tests.attacks.tenants import ACME, BETA, World, found_world, front_cases
from tests.servers.api import Api, Reply
from tests.servers.settings import make_settings
from tests.timing.sandbox_timings import QUICK
from web.postiz_front.blueprint import OPEN, PREFIXES

FRONT = PREFIXES[0]


@pytest.fixture(scope="module")
def founded(
    module_database_url: str, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    home = tmp_path_factory.mktemp("front-tenants")
    with start_sandbox(home / "postiz", timing=QUICK, seed=[]) as postiz:
        api = Api(make_settings(module_database_url, home, REDIS_URL=valkey_server.url()))
        yield found_world(api, postiz)
        api.close()


@pytest.fixture
def world(founded: World) -> World:
    founded.restore()
    return founded


def ask(world: World, route: str, key: str | None, *, prefix: str = FRONT) -> Reply:
    """The route's case, about what is acme's."""
    case, ids = front_cases(world)[route], world.tenants[ACME].ids
    method, path = route.split(" ")
    words = {
        "<id>": ids["posts"],
        "<group>": f"pressroom-{ids['posts']}",
        "<channel_id>": "int-acme",
        "<network>": "x",
    }
    for word, meaning in words.items():
        path = path.replace(word, meaning)
    more: dict[str, Any] = {} if case.body is None else {"json": case.body}
    return world.api.call(method, prefix + path + case.query, key=key, **more)


def test_every_route_of_the_front_has_its_case(world: World) -> None:
    for prefix in PREFIXES:
        found = {
            f"{method} {rule.rule.removeprefix(prefix)}"
            for rule in world.api.app.url_map.iter_rules()
            if rule.rule.startswith(f"{prefix}/") and not rule.endpoint.endswith(OPEN)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }
        medium = next(name for name in front_cases(world) if name.startswith("GET /media/"))
        assert found == {*front_cases(world), "GET /media/<name>"} - {medium}
    assert not [path for path in world.api.get("/openapi.json").json["paths"] if "public" in path]


def test_a_stranger_gets_nothing_of_acme_and_changes_nothing(world: World) -> None:
    key = world.tenants[BETA].key
    for route, case in front_cases(world).items():
        for nobody in (None, world.dead_key, "pr_" + "x" * 43):
            refused = ask(world, route, nobody)
            assert (refused.status_code, list(refused.json)) == (401, ["msg"]), route
        for prefix in PREFIXES:
            reply = ask(world, route, key, prefix=prefix)
            assert reply.status_code in case.stranger, (route, reply.text)
            if not route.endswith(("<channel_id>", "/posts")) or reply.status_code == 200:
                assert "acme" not in reply.text, route
            reply.close()
    assert world.read_rows() == world.rows


def test_the_names_of_acmes_things_are_of_no_use_to_beta(world: World) -> None:
    ids = world.tenants[ACME].ids
    value: dict[str, Any] = {"content": "x", "image": [], "id": ids["posts"]}
    post = {"integration": {"id": "int-beta"}, "value": [value]}
    call = {**front_cases(world)["POST /posts"].body, "posts": [post]}
    key = world.tenants[BETA].key
    made = world.api.call("POST", f"{FRONT}/posts", key=key, json=call)
    assert made.status_code == 201 and made.json[0]["postId"] != ids["posts"]
    call["type"] = "update"
    assert world.api.call("POST", f"{FRONT}/posts", key=key, json=call).status_code == 400
    value["image"] = [{"id": "a", "path": f"http://x/media/pressroom-{ids['media']}.png"}]
    call["type"] = "schedule"
    refused = world.api.call("POST", f"{FRONT}/posts", key=key, json=call)
    assert refused.status_code == 400, refused.text
    assert "there is no medium" in refused.json["message"][0]
    after = world.read_rows()
    assert set(world.rows["posts"]) <= set(after["posts"])
    assert after["media"] == world.rows["media"]


def test_what_its_owner_does_is_done_and_stands_in_the_audit(world: World) -> None:
    for route, case in front_cases(world).items():
        world.restore()
        reply = ask(world, route, world.tenants[ACME].key)
        assert reply.status_code in case.owner, (route, reply.text)
        reply.close()
        after = world.read_rows()
        changed = {name for name, rows in after.items() if rows != world.rows[name]}
        entries = len(after["audit_entries"]) - len(world.rows["audit_entries"])
        assert entries == bool(changed - {"account_media"}), (route, changed)


def test_a_key_needs_one_profile_and_the_scopes(world: World) -> None:
    api = world.api
    bare = {"Authorization": world.tenants[ACME].key}
    assert api.get(f"{FRONT}/is-connected", key=None, headers=bare).status_code == 200
    unbound = api.get(f"{FRONT}/is-connected")
    assert (unbound.status_code, "bound" in unbound.json["msg"]) == (401, True)
    reader = api.key("read", profiles=[ACME])
    assert api.get(f"{FRONT}/posts?startDate=2020-01-01&endDate=2020-01-02", key=reader).json
    assert ask(world, "POST /posts", reader).status_code == 403


def test_a_key_whose_posts_wait_for_approval_gets_nothing_past_a_person(world: World) -> None:
    body = {"name": "agent", "scopes": ["read", "publish"], "profile_ids": [ACME]}
    key = world.api.post("/keys", {**body, "requires_approval": True}).json["key"]
    made = ask(world, "POST /posts", key)
    assert made.status_code == 201, made.text
    for each in made.json:
        post = world.api.get(f"/posts/{each['postId']}").json
        assert post["state"] == "waiting_approval"
    [other, *_] = ask(world, "POST /posts", world.tenants[ACME].key).json
    path, change = f"{FRONT}/posts/{other['postId']}/settings", {"settings": {"a": 1}}
    refused = world.api.call("PUT", path, key=key, json=change)
    assert refused.status_code == 403, "what needs no approval would be changed without any"
