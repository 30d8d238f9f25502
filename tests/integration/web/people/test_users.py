"""Users: their roles open the same doors as scopes, and what changes them ends their sessions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.servers.api import Api
from tests.servers.browsers import Browser, make_user

PUBLISH = {"caption": "hi", "integration_ids": ["int-mastodon"]}
NEW = {"email": "Bea@Example.com", "name": "Bea", "role": "publisher"}


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", {"read"}),
        ("publisher", {"read", "publish"}),
        ("manager", {"read", "publish", "settings"}),
        ("admin", {"read", "publish", "settings", "admin"}),
    ],
)
def test_a_role_opens_the_doors_of_its_scopes(api: Api, role: str, allowed: set[str]) -> None:
    browser = Browser.signed_in(api, make_user(api, role=role))
    doors = {
        "read": browser.get("/profiles"),
        "publish": browser.post("/postiz/publish", PUBLISH, headers={"X-Profile-Id": "acme"}),
        "settings": browser.call("PATCH", "/profiles/acme", json={"name": "N"}),
        "admin": browser.get("/keys"),
    }
    for name, reply in doors.items():
        assert (reply.status_code != 403) == (name in allowed), (name, reply.text)


def test_a_person_sees_their_profiles_and_no_other(api: Api) -> None:
    api.post("/profiles", {"id": "other", "name": "O"})
    browser = Browser.signed_in(api, make_user(api, role="manager", profiles=["acme"]))
    assert browser.post("/postiz/publish", PUBLISH).status_code == 202
    assert [row["id"] for row in browser.get("/profiles").json["items"]] == ["acme"]
    assert browser.get("/profiles/other").status_code == 404


def test_a_person_of_a_deleted_profile_sees_nothing(api: Api) -> None:
    browser = Browser.signed_in(api, make_user(api, role="admin", profiles=["acme"]))
    assert browser.get("/profiles/acme").status_code == 200
    assert api.call("DELETE", "/profiles/acme").status_code == 204
    assert api.post("/profiles", {"id": "acme", "name": "another"}).status_code == 201
    assert browser.get("/profiles/acme").status_code == 404
    assert browser.get("/profiles").json["items"] == []
    assert browser.post("/users", NEW).status_code == 403


def test_a_repeated_request_of_a_person_is_done_once(api: Api) -> None:
    browser = Browser.signed_in(api, make_user(api, role="publisher"))
    headers = {"X-Profile-Id": "acme", "Idempotency-Key": "k"}
    first, second = (browser.post("/postiz/publish", PUBLISH, headers=headers) for _ in range(2))
    assert first.json == second.json
    assert second.headers["Idempotent-Replayed"] == "true"
    of_a_key = api.post("/postiz/publish", PUBLISH, headers=headers)
    assert of_a_key.json["job"]["id"] != first.json["job"]["id"]


def test_an_admin_makes_users_with_a_link_that_is_shown_once(bare_api: Api) -> None:
    headers = {"Idempotency-Key": "k"}
    made = bare_api.post("/users", NEW, headers=headers)
    assert (made.status_code, made.json["email"]) == (201, "bea@example.com")
    assert made.json["link"].startswith("/sign-in/link/")
    assert bare_api.post("/users", NEW, headers=headers).json["link"] is None
    assert bare_api.post("/users", NEW).json["code"] == "email_taken"
    path = f"/users/{made.json['id']}"
    assert bare_api.get(path).json == bare_api.get("/users").json["items"][0]
    assert "link" not in bare_api.get(path).json
    again = bare_api.post(f"{path}/invite").json["link"]
    assert again not in {None, made.json["link"]}
    assert bare_api.call("PATCH", path, json={"disabled": True}).json["disabled"]
    assert bare_api.post(f"{path}/invite").json["code"] == "user_disabled"


@pytest.mark.parametrize(
    "change",
    [
        {"role": "manager"},
        {"role": "viewer"},
        {"profile_ids": ["acme"]},
        {"disabled": True},
        {"reset_second_factor": True},
    ],
)
def test_what_makes_somebody_another_ends_their_sessions(api: Api, change: dict[str, Any]) -> None:
    user_id = make_user(api, role="publisher")
    browser = Browser.signed_in(api, user_id)
    assert api.call("PATCH", f"/users/{user_id}", json={"name": "Anne"}).status_code == 200
    assert browser.get("/session").json["user"]["name"] == "Anne"
    assert api.call("PATCH", f"/users/{user_id}", json=change).status_code == 200
    assert browser.get("/session").status_code == 401


def test_an_admin_ends_the_sessions_of_a_user(bare_api: Api) -> None:
    user_id = make_user(bare_api)
    browsers = [Browser.signed_in(bare_api, user_id) for _ in range(2)]
    assert bare_api.post(f"/users/{user_id}/end-sessions").status_code == 204
    assert [browser.get("/session").status_code for browser in browsers] == [401, 401]


def test_nobody_makes_a_user_who_can_do_more_than_they_can(api: Api) -> None:
    api.post("/profiles", {"id": "other", "name": "O"})
    bound = api.key("admin", profiles=["acme"])
    assert api.post("/users", NEW, key=bound).status_code == 403
    assert api.post("/users", {**NEW, "profile_ids": ["other"]}, key=bound).status_code == 422
    made = api.post("/users", {**NEW, "profile_ids": ["acme"]}, key=bound)
    assert made.status_code == 201
    path = f"/users/{made.json['id']}"
    assert api.call("PATCH", path, json={"profile_ids": None}, key=bound).status_code == 403
    free = make_user(api, "free@example.com")
    assert api.call("PATCH", f"/users/{free}", json={"name": "x"}, key=bound).status_code == 404
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    brief = api.post("/keys", {"name": "k", "scopes": ["admin"], "expires_at": soon}).json["key"]
    assert api.post("/users", {**NEW, "email": "x@example.com"}, key=brief).status_code == 403
    assert api.post(f"{path}/invite", key=brief).status_code == 403


def test_nobody_changes_what_they_may_do_themselves(bare_api: Api) -> None:
    user_id = make_user(bare_api, role="admin")
    browser = Browser.signed_in(bare_api, user_id)
    for change in ({"disabled": True}, {"role": "viewer"}, {"reset_second_factor": True}):
        reply = browser.call("PATCH", f"/users/{user_id}", json=change)
        assert reply.json["code"] == "own_user"


@pytest.mark.parametrize(
    "change", [{"role": "admin"}, {"profile_ids": None}, {"disabled": True}, {"name": "Bee"}]
)
def test_a_link_opens_no_more_than_when_it_was_made(api: Api, change: dict[str, Any]) -> None:
    """A bound admin has it, and an unbound one gives the user more."""
    bound = api.key("admin", profiles=["acme"])
    made = api.post("/users", {**NEW, "profile_ids": ["acme"]}, key=bound).json
    assert api.call("PATCH", f"/users/{made['id']}", json=change).status_code == 200
    opened = Browser(api).open("GET", made["link"]).status_code
    assert opened == (200 if "name" in change else 404)


@pytest.mark.parametrize("wrong", [{"email": "x"}, {"role": "owner"}, {"profile_ids": []}])
def test_a_malformed_user_is_refused(bare_api: Api, wrong: dict[str, Any]) -> None:
    assert bare_api.post("/users", {**NEW, **wrong}).status_code == 400


def test_a_deleted_user_is_out_at_once_and_what_they_did_stays(api: Api) -> None:
    admin = make_user(api, "boss@example.com", role="admin")
    made = api.post("/users", {**NEW, "profile_ids": ["acme"]}).json
    browser = Browser.signed_in(api, int(made["id"]))
    calendar = browser.post("/calendar-links", {"profile_id": "acme", "name": "Bea's"}).json["url"]
    boss, path = Browser.signed_in(api, admin), f"/users/{made['id']}"
    assert browser.call("DELETE", path).status_code == 403
    assert boss.call("DELETE", f"/users/{admin}").json["code"] == "own_user"
    stranger = api.key("admin", profiles=["acme"])
    assert api.call("DELETE", f"/users/{admin}", key=stranger).status_code == 404
    assert boss.call("DELETE", path).status_code == 204
    assert boss.call("DELETE", path).status_code == 404
    assert browser.get("/session").status_code == 401
    for link in (made["link"], calendar):
        assert Browser(api).open("GET", link).status_code == 404
    done = {entry["operation"]: entry for entry in api.get("/audit").json["items"]}
    assert done["delete_user"]["targets"] == {"users": made["id"]}
    assert done["create_calendar_link"]["actor"]["name"] == "bea@example.com"


def test_the_last_admin_stays(bare_api: Api) -> None:
    users = [make_user(bare_api, f"{name}@example.com", role="admin") for name in ("ann", "bea")]
    away = make_user(bare_api, "away@example.com", role="admin")
    assert bare_api.call("PATCH", f"/users/{away}", json={"disabled": True}).status_code == 200
    make_user(bare_api, "bound@example.com", role="admin", profiles=["acme"])
    pairs = list(
        zip([Browser.signed_in(bare_api, user) for user in users], users[::-1], strict=True)
    )
    with ThreadPoolExecutor(2) as threads:  # each deletes the other
        replies = list(threads.map(lambda pair: pair[0].call("DELETE", f"/users/{pair[1]}"), pairs))
    assert sorted(reply.status_code for reply in replies)[0] == 204
    [left] = [row for row in bare_api.get("/users").json["items"] if int(row["id"]) in users]
    assert bare_api.call("DELETE", f"/users/{left['id']}").json["code"] == "last_admin"
    assert bare_api.call("DELETE", f"/users/{away}").status_code == 204
