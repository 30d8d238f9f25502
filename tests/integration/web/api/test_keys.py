"""Keys: what each may do, and what does not exist for it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, update

from shared.access import api_keys
from shared.models import ApiKey, RetiredKey
from tests.factories.files import FILES
from tests.servers.api import ADMIN_KEY, Api

PUBLISH = {"caption": "hi", "integration_ids": ["int-mastodon"]}


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer pk_wrong", "Basic YTpi", ADMIN_KEY]
)
def test_without_a_known_key_there_is_nothing(bare_api: Api, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for path in ("/profiles", "/profiles/acme", "/no-such-path"):
        reply = bare_api.get(path, key=None, headers=headers)
        assert (reply.status_code, reply.mimetype) == (401, "application/problem+json")
        assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_is_shown_once_and_kept_as_a_hash(bare_api: Api) -> None:
    made = bare_api.post("/keys", {"name": "ci", "scopes": ["read"]})
    assert made.status_code == 201
    key = made.json["key"]
    assert bare_api.get("/profiles", key=key).status_code == 200
    for path in ("/keys", f"/keys/{made.json['id']}"):
        assert key not in bare_api.get(path).text
    with bare_api.services.database.transaction() as session:
        row = session.get_one(ApiKey, int(made.json["id"]))
        assert key not in str(vars(row))


def test_a_deleted_key_stops_working_at_once(bare_api: Api) -> None:
    made = bare_api.post("/keys", {"name": "ci", "scopes": ["read"]}).json
    assert bare_api.call("DELETE", f"/keys/{made['id']}").status_code == 204
    assert bare_api.get("/profiles", key=made["key"]).status_code == 401
    assert bare_api.call("DELETE", f"/keys/{made['id']}").status_code == 404


def test_an_expired_key_is_no_key(bare_api: Api) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with bare_api.services.database.transaction() as session:
        _, key = api_keys.create_api_key(
            session, name="old", profile_ids=None, scopes=["read"], expires_at=yesterday
        )
    assert bare_api.get("/profiles", key=key).status_code == 401
    past = {"name": "k", "scopes": ["read"], "expires_at": yesterday.isoformat()}
    assert bare_api.post("/keys", past).status_code == 422
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert bare_api.post("/keys", {**past, "expires_at": soon}).status_code == 201


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("read", {"read"}),
        ("publish", {"publish"}),
        ("settings", {"settings"}),
        ("admin", {"read", "publish", "settings", "admin"}),
    ],
)
def test_a_scope_opens_its_own_doors_and_admin_all(api: Api, scope: str, allowed: set[str]) -> None:
    key = api.key(scope)
    doors = {
        "read": api.get("/profiles", key=key),
        "publish": api.post("/postiz/publish", PUBLISH, key=key, profile="acme"),
        "settings": api.call("PATCH", "/profiles/acme", json={"name": "N"}, key=key),
        "admin": api.get("/keys", key=key),
    }
    for name, reply in doors.items():
        assert (reply.status_code != 403) == (name in allowed), (name, reply.text)


def test_a_key_of_one_profile_needs_no_header_and_sees_nothing_else(api: Api) -> None:
    api.post("/profiles", {"id": "other", "name": "O"})
    key = api.key("read", "publish", "settings", profiles=["acme"])
    assert api.post("/postiz/publish", PUBLISH, key=key).status_code == 202
    assert api.upload(FILES.png(), key=key).status_code == 202
    assert [row["id"] for row in api.get("/profiles", key=key).json["items"]] == ["acme"]
    for path in ("/profiles/other", "/profiles/other/credentials", "/profiles/nowhere"):
        assert api.get(path, key=key).status_code == 404
    for method, path in (("DELETE", "/profiles/other"), ("POST", "/profiles/other/pause")):
        assert api.call(method, path, key=key).status_code == 404
    assert api.get("/jobs", key=key, profile="other").status_code == 404
    assert api.post("/profiles", {"name": "N"}, key=key).status_code == 403


def test_jobs_posts_and_accounts_of_other_profiles_do_not_exist(api: Api) -> None:
    api.post("/profiles", {"id": "other", "name": "O"})
    job = api.post("/postiz/publish", PUBLISH, profile="acme").json["job"]["id"]
    key = api.key("read", "publish", "settings", profiles=["other"])
    for path in (
        f"/jobs/{job}",
        f"/jobs/{job}/posts",
        "/posts/1",
        f"/postiz/publish/{job}/progress",
    ):
        assert api.get(path, key=key).status_code == 404
    for path in ("/jobs", "/posts", "/accounts"):
        assert api.get(path, key=key).json["items"] == []
    assert api.post(f"/jobs/{job}/pause", key=key).status_code == 404
    assert api.post("/accounts/1/pause", key=key).status_code == 404


def test_an_account_that_others_use_too_is_not_one_profiles_to_pause(api: Api) -> None:
    url = api.get("/profiles/acme/credentials").json["api_url"]
    credentials = {"postiz": {"api_url": url, "api_key": "sandbox-demo-key"}}
    api.post("/profiles", {"id": "twin", "name": "T", "tts_settings": credentials})
    key = api.key("read", "settings", profiles=["acme"])
    [account] = api.get("/accounts", key=key).json["items"]
    assert account["profile_ids"] == ["acme"]
    assert api.post(f"/accounts/{account['id']}/pause", key=key).status_code == 403
    both = api.key("settings", profiles=["acme", "twin"])
    assert api.post(f"/accounts/{account['id']}/pause", key=both).status_code == 200


def test_a_key_of_many_profiles_has_to_say_which(api: Api) -> None:
    reply = api.post("/postiz/publish", PUBLISH)
    assert (reply.status_code, reply.json["code"]) == (400, "profile_missing")
    assert "X-Profile-Id" in reply.json["detail"]
    assert api.post("/postiz/publish", PUBLISH, profile="acme").status_code == 202
    assert api.post("/postiz/publish", PUBLISH, profile="nobody").status_code == 404
    assert api.post("/postiz/publish", PUBLISH, profile="no/../body").status_code == 404


def test_nobody_makes_a_key_that_can_do_more_than_they_can(api: Api) -> None:
    api.post("/profiles", {"id": "other", "name": "O"})
    bound = api.key("admin", profiles=["acme"])
    for_all = {"name": "k", "scopes": ["read"]}
    assert api.post("/keys", for_all, key=bound).status_code == 403
    elsewhere = {**for_all, "profile_ids": ["other"]}
    unknown = {**for_all, "profile_ids": ["nobody"]}
    refusals = [api.post("/keys", body, key=bound) for body in (elsewhere, unknown)]
    assert [reply.status_code for reply in refusals] == [422, 422]
    own = {**for_all, "profile_ids": ["acme"]}
    assert api.post("/keys", own, key=bound).status_code == 201
    seen = api.get("/keys", key=bound).json["items"]
    assert all(row["profile_ids"] == ["acme"] for row in seen)
    assert api.get("/keys/1", key=bound).status_code == 404


def test_a_deleted_profile_takes_its_place_in_keys_with_it(api: Api) -> None:
    api.post("/profiles", {"id": "gone", "name": "G"})
    key = api.key("read", profiles=["gone"])
    both = api.key("read", profiles=["acme", "gone", "gone"])
    api.call("DELETE", "/profiles/gone")
    api.post("/profiles", {"id": "gone", "name": "another"})
    assert api.get("/profiles", key=key).status_code == 401
    assert api.get("/profiles/gone", key=both).status_code == 404
    assert [row["id"] for row in api.get("/profiles", key=both).json["items"]] == ["acme"]


def test_the_last_use_of_a_key_is_shown(bare_api: Api) -> None:
    made = bare_api.post("/keys", {"name": "ci", "scopes": ["read"]}).json
    assert made["last_used_at"] is None
    path = f"/keys/{made['id']}"
    bare_api.get("/profiles", key=made["key"])
    used = bare_api.get(path).json["last_used_at"]
    assert datetime.fromisoformat(used) <= datetime.now(UTC)
    bare_api.get("/profiles", key=made["key"])
    assert bare_api.get(path).json["last_used_at"] == used, "no row is written at each request"
    with bare_api.services.database.transaction() as session:
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        session.get_one(ApiKey, int(made["id"])).last_used_at = long_ago
    bare_api.get("/profiles", key=made["key"])
    assert bare_api.get(path).json["last_used_at"] > used


def test_a_rotated_key_works_until_the_overlap_is_over(bare_api: Api) -> None:
    body = {"name": "ci", "scopes": ["read"]}
    made = bare_api.post("/keys", body).json
    path = f"/keys/{made['id']}"
    assert (made["old_key_until"], made["key"][:3]) == (None, "pr_")
    second = bare_api.post(f"{path}/rotate").json
    third = bare_api.post(f"{path}/rotate", {"overlap_seconds": 60}).json
    assert {**third, "key": 0, "old_key_until": 0} == {**second, "key": 0, "old_key_until": 0}
    keys = [each["key"] for each in (made, second, third)]
    assert len(set(keys)) == 3
    assert [bare_api.get("/profiles", key=key).status_code for key in keys] == [200] * 3
    until = datetime.fromisoformat(third["old_key_until"])
    assert until <= datetime.now(UTC) + timedelta(seconds=60), "of all the earlier ones"
    with bare_api.services.database.transaction() as session:
        session.execute(update(RetiredKey).values(valid_until=func.now()))
    assert [bare_api.get("/profiles", key=key).status_code for key in keys] == [401, 401, 200]
    assert bare_api.get(path).json["old_key_until"] is None


def test_a_key_that_leaked_ends_at_once(bare_api: Api) -> None:
    made = bare_api.post("/keys", {"name": "ci", "scopes": ["read"]}).json
    path = f"/keys/{made['id']}/rotate"
    second = bare_api.post(path).json["key"]
    newest = bare_api.post(path, {"overlap_seconds": 0}).json["key"]
    keys = [made["key"], second, newest]
    assert [bare_api.get("/profiles", key=key).status_code for key in keys] == [401, 401, 200]
    assert bare_api.rows()["retired_keys"] == 0
    for overlap in (-1, 604_801, "1"):
        assert bare_api.post(path, {"overlap_seconds": overlap}).status_code == 400
    installed = bare_api.post("/keys/1/rotate")
    assert (installed.status_code, installed.json["code"]) == (409, "installed_key")


def test_a_key_makes_no_key_that_outlives_it(bare_api: Api) -> None:
    soon, later = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, 2))
    body = {"name": "k", "scopes": ["admin"]}
    brief = bare_api.post("/keys", {**body, "expires_at": soon.isoformat()}).json
    key = brief["key"]
    longer = bare_api.post("/keys", {**body, "expires_at": later.isoformat()}, key=key)
    assert (longer.status_code, longer.json["errors"][0]["field"]) == (422, "expires_at")
    heir = bare_api.post("/keys", body, key=key).json
    assert datetime.fromisoformat(heir["expires_at"]) == soon
    lasting = bare_api.post("/keys", body).json
    assert bare_api.post(f"/keys/{lasting['id']}/rotate", key=key).status_code == 403
    assert bare_api.post(f"/keys/{brief['id']}/rotate", key=key).status_code == 200
