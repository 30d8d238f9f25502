"""The audit trail: who changed what, from where, without secrets, for those whom it concerns."""

from typing import Any

import pytest
from structlog.contextvars import get_contextvars

from tests.servers.api import Api
from web import auth
from web.api import jobs

SECRET = "a-key-of-postiz-that-nobody-may-see"


def entries(api: Api, query: str = "", **more: Any) -> list[dict[str, Any]]:
    reply = api.get(f"/audit{query}", **more)
    assert reply.status_code == 200, reply.text
    return list(reply.json["items"])


def test_an_entry_says_who_changed_what_from_where_and_no_secret(api: Api) -> None:
    postiz = {"api_url": "http://127.0.0.1:9", "api_key": SECRET}
    body = {"name": "N", "tts_settings": {"postiz": postiz, "voice": 1}}
    headers = {"User-Agent": "curl/8\x01" + "x" * 999, "X-Request-Id": "mine"}
    assert api.call("PATCH", "/profiles/acme", json=body, headers=headers).status_code == 200
    entry = entries(api)[0]
    assert entry["actor"]["kind"] == "key"
    assert entry["actor"]["name"] == "admin (installed)"
    assert (entry["method"], entry["operation"]) == ("PATCH", "patch_profile")
    assert entry["route"] == "/api/v1/profiles/<id>"
    assert entry["targets"] == {"profiles": "acme"}
    assert sorted(entry["fields"]) == ["name", "tts_settings.postiz", "tts_settings.voice"]
    assert entry["profile_ids"] == ["acme"]
    assert (entry["address"], entry["request_id"]) == ("127.0.0.1", "mine")
    assert entry["user_agent"].startswith("curl/8")
    assert len(entry["user_agent"]) == 200
    assert SECRET not in api.get("/audit").text


def test_what_is_made_is_named_and_deleted_things_too(api: Api) -> None:
    made = api.post("/keys", {"name": "k", "scopes": ["read"], "profile_ids": ["acme"]}).json
    assert api.call("DELETE", f"/keys/{made['id']}").status_code == 204
    deleted, created = entries(api)[:2]
    assert created["targets"] == deleted["targets"] == {"keys": made["id"]}
    assert created["profile_ids"] == deleted["profile_ids"] == ["acme"]
    assert made["key"] not in api.get("/audit").text


def test_reads_refusals_and_dry_runs_leave_none(api: Api) -> None:
    before = entries(api)
    bulk = {"items": [{"caption": "c"}], "integration_ids": ["int-mastodon"]}
    api.get("/jobs")
    assert api.post("/postiz/bulk-publish?dry_run=true", bulk, profile="acme").status_code == 200
    assert api.post("/keys", {"name": ""}).status_code == 400
    assert api.call("DELETE", "/keys/999").status_code == 404
    bulk["integration_ids"] = ["nowhere"]
    assert api.post("/postiz/bulk-publish", bulk, profile="acme").status_code == 422
    assert entries(api) == before


def test_a_repeated_request_is_one_change(api: Api) -> None:
    body = {"caption": "c", "integration_ids": ["int-mastodon"]}
    headers = {"Idempotency-Key": "once"}
    for _ in range(2):
        reply = api.post("/postiz/publish", body, profile="acme", headers=headers)
        assert reply.status_code == 202
    found = [entry for entry in entries(api) if entry["operation"] == "publish"]
    assert [entry["targets"] for entry in found] == [{"jobs": reply.json["job"]["id"]}]


def test_the_change_is_undone_where_its_entry_cannot_be_written(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = api.get("/profiles/acme").json["name"]
    monkeypatch.setattr(auth, "KEY", None)  # which the column refuses
    assert api.call("PUT", "/profiles/acme", json={"name": "Other"}).status_code == 500
    assert api.get("/profiles/acme").json["name"] == before


def test_what_was_done_in_part_before_a_refusal_says_so(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"caption": "c", "integration_ids": ["int-mastodon"]}
    job = api.post("/postiz/publish", body, profile="acme").json["job"]["id"]

    def fail(_: int) -> None:
        raise RuntimeError("after the commit")

    monkeypatch.setattr(jobs, "_job_response", fail)
    assert api.post(f"/jobs/{job}/pause").status_code == 500
    assert entries(api)[0]["refused"] == 500


def test_who_sees_it(api: Api) -> None:
    api.post("/profiles", {"id": "beta", "name": "B"})
    api.call("PUT", "/profiles/acme", json={"name": "A"})
    key = api.key("admin", profiles=["beta"])
    api.call("PUT", "/profiles/beta", json={"name": "BB"}, key=key)
    seen = entries(api, key=key)
    assert {tuple(entry["profile_ids"]) for entry in seen} == {("beta",)}
    assert len(seen) == 3
    assert entries(api, "?profile=acme", key=key) == []
    assert api.get("/audit", key=api.key("read", "settings", "publish")).status_code == 403


def test_a_client_does_not_see_what_was_done_for_another_that_had_its_profiles_id(
    api: Api,
) -> None:
    body = {"name": "Of the first client"}
    assert api.call("PATCH", "/profiles/acme", json=body).status_code == 200
    assert api.call("DELETE", "/profiles/acme").status_code == 204
    assert api.post("/profiles", {"id": "acme", "name": "Another"}).status_code == 201
    key = api.key("admin", profiles=["acme"])
    shown = [entry["operation"] for entry in entries(api, key=key)]
    assert shown == ["create_key", "create_profile"]
    everything = [entry["operation"] for entry in entries(api)]
    assert {"patch_profile", "delete_profile"} <= set(everything)


def test_it_is_listed_in_pages_and_filtered(api: Api) -> None:
    for number in range(3):
        api.call("PUT", "/profiles/acme", json={"name": f"{number}"})
    first = api.get("/audit?limit=2").json
    rest = entries(api, f"?limit=500&cursor={first['next_cursor']}")
    assert [*first["items"], *rest] == entries(api)
    newest = first["items"][0]
    assert entries(api, f"?key={newest['actor']['id']}")[0] == newest
    assert entries(api, "?key=987654") == []
    moment = newest["at"]
    assert newest in entries(api, f"?since={moment}")
    assert newest not in entries(api, f"?until={moment}")
    assert api.get("/audit?key=x").status_code == 400


def test_each_line_of_a_request_in_the_log_names_its_key(api: Api) -> None:
    api.call("PUT", "/profiles/acme", json={"name": "A"})
    assert get_contextvars()["by_key"] == entries(api)[0]["actor"]["id"]
