"""Webhooks over the API: a secret shown once, addresses that may be called, and who sees which."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from shared.models import Webhook
from tests.servers.api import Api, Reply
from tests.servers.settings import make_settings

NEW = {"url": "https://hooks.example.com/pressroom?token=1", "events": ["post.failed"]}
PRIVATE = ("127.0.0.1:80", "10.0.0.8", "169.254.169.254", "[::1]", "localhost", "192.168.1.1:8080")


def profiles(api: Api, *names: str) -> None:
    for name in names:
        assert api.post("/profiles", {"id": name, "name": name}).status_code == 201


def ids(reply: Reply) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [item["id"] for item in reply.json["items"]]


def test_the_secret_is_shown_once_and_kept_encrypted(bare_api: Api) -> None:
    made = bare_api.post("/webhooks", NEW)
    assert made.status_code == 201
    assert made.headers["Location"] == f"/api/v1/webhooks/{made.json['id']}"
    secret = made.json["secret"]
    assert secret.startswith("whsec_")
    with bare_api.services.database.transaction() as session:
        kept = session.scalars(select(Webhook)).one().secret
    assert secret not in kept
    assert secret.removeprefix("whsec_") not in kept
    one, listed = bare_api.get(f"/webhooks/{made.json['id']}"), bare_api.get("/webhooks")
    assert "secret" not in one.json
    for reply in (one, listed):
        assert reply.status_code == 200
        assert "whsec_" not in reply.text
    shown = {name: one.json[name] for name in ("url", "events", "profile_ids", "enabled")}
    assert shown == {**NEW, "profile_ids": None, "enabled": True}


def test_a_profile_has_only_so_many_webhooks(
    bare_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each costs every event something: also those of others, where it is an account's."""
    monkeypatch.setattr("shared.webhooks.subscriptions.MOST", 2)
    profiles(bare_api, "acme", "beta")
    own = {"profile_ids": ["acme"]}
    made = [bare_api.post("/webhooks", {**NEW, **own}) for _ in range(2)]
    assert [reply.status_code for reply in made] == [201, 201]
    for wanted in (own, {"profile_ids": ["beta", "acme"]}):
        refused = bare_api.post("/webhooks", {**NEW, **wanted})
        assert (refused.status_code, refused.json["code"]) == (409, "too_many_webhooks")
        assert "acme" in refused.json["detail"]
    others = [
        bare_api.post("/webhooks", {**NEW, "profile_ids": ["beta"]}),
        bare_api.post("/webhooks", NEW),
    ]
    assert [reply.status_code for reply in others] == [201, 201]
    path = f"/webhooks/{others[0].json['id']}"
    assert bare_api.call("PATCH", path, json=own).json["code"] == "too_many_webhooks"
    assert bare_api.get(path).json["profile_ids"] == ["beta"]
    assert bare_api.call("DELETE", f"/webhooks/{made[0].json['id']}").status_code == 204
    assert bare_api.call("PATCH", path, json=own).status_code == 200


def test_a_repeated_request_makes_one_webhook_and_shows_its_secret_no_more(bare_api: Api) -> None:
    again = {"headers": {"Idempotency-Key": "k1"}}
    first, second = (bare_api.post("/webhooks", NEW, **again) for _ in range(2))
    assert first.json["secret"].startswith("whsec_")
    assert second.json == {**first.json, "secret": None}
    assert len(ids(bare_api.get("/webhooks"))) == 1
    path = f"/webhooks/{first.json['id']}/rotate"
    newer, replayed = (bare_api.post(path, headers={"Idempotency-Key": "k2"}) for _ in range(2))
    assert newer.json["secret"] not in {None, first.json["secret"]}
    assert replayed.json == {**newer.json, "secret": None}
    assert newer.json["old_secret_until"] is not None


def test_what_is_wrong_with_a_webhook_is_named(bare_api: Api) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({**NEW, "events": ["post.deleted"]}, "events.0"),
        ({**NEW, "events": []}, "events"),
        ({**NEW, "url": "ftp://hooks.example.com/"}, "url"),
        ({**NEW, "url": "https://user:secret@hooks.example.com/"}, "url"),
        ({**NEW, "secret": "whsec_mine"}, "secret"),
    ]
    for body, field in wrong:
        reply = bare_api.post("/webhooks", body)
        assert (reply.status_code, reply.json["errors"][0]["field"]) == (400, field), reply.text
    unknown = bare_api.post("/webhooks", {**NEW, "profile_ids": ["nobody"]})
    assert (unknown.status_code, unknown.json["errors"][0]["field"]) == (422, "profile_ids.0")
    for path in ("/webhooks/1", "/webhooks/x", "/webhooks/1/deliveries"):
        assert bare_api.get(path).status_code == 404


def test_private_addresses_are_refused_where_they_are_not_allowed(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    strict = Api(
        make_settings(database_url, tmp_path, REDIS_URL=redis_url, PRESSROOM_ALLOW_PRIVATE_URLS="0")
    )
    try:
        made = strict.post("/webhooks", {**NEW, "url": "https://93.184.216.34/"})
        assert made.status_code == 201, made.text
        for host in PRIVATE:
            url = {"url": f"http://{host}/hook"}
            change = strict.call("PATCH", f"/webhooks/{made.json['id']}", json=url)
            for reply in (strict.post("/webhooks", {**NEW, **url}), change):
                assert (reply.status_code, reply.json["code"]) == (400, "private_address"), host
                assert reply.json["errors"][0]["field"] == "url"
    finally:
        strict.close()


def test_a_key_that_is_bound_makes_and_sees_webhooks_of_its_profiles_only(bare_api: Api) -> None:
    profiles(bare_api, "acme", "beta")
    acme = bare_api.key("settings", profiles=["acme"])
    mine = bare_api.post("/webhooks", NEW, key=acme)
    assert mine.json["profile_ids"] == ["acme"]
    of_all = bare_api.post("/webhooks", NEW).json["id"]
    of_both = bare_api.post("/webhooks", {**NEW, "profile_ids": ["acme", "beta"]}).json["id"]
    of_beta = bare_api.post("/webhooks", NEW, profile="beta").json["id"]

    assert ids(bare_api.get("/webhooks", key=acme)) == [mine.json["id"]]
    for each in (of_all, of_both, of_beta):
        for method, path in (
            ("GET", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("POST", "/rotate"),
            ("GET", "/deliveries"),
            ("POST", "/deliveries/1/redeliver"),
        ):
            reply = bare_api.call(method, f"/webhooks/{each}{path}", key=acme, json={})
            assert reply.status_code == 404, (method, path)
    for wider in (["acme", "beta"], ["beta"]):
        body = {**NEW, "profile_ids": wider}
        assert bare_api.post("/webhooks", body, key=acme).status_code == 422
    path = f"/webhooks/{mine.json['id']}"
    widened = bare_api.call("PATCH", path, json={"profile_ids": None}, key=acme)
    assert widened.status_code == 403
    assert len(ids(bare_api.get("/webhooks"))) == 4
    assert ids(bare_api.get("/webhooks", profile="beta")) == [of_all, of_both, of_beta]
    assert bare_api.call("DELETE", path, key=acme).status_code == 204
    assert ids(bare_api.get("/webhooks", key=acme)) == []


def test_only_keys_that_may_change_settings_have_to_do_with_webhooks(bare_api: Api) -> None:
    profiles(bare_api, "acme")
    for scope, allowed in (("read", 403), ("publish", 403), ("settings", 200), ("admin", 200)):
        assert bare_api.get("/webhooks", key=bare_api.key(scope)).status_code == allowed


def test_a_webhook_is_switched_off_and_on(bare_api: Api) -> None:
    path = f"/webhooks/{bare_api.post('/webhooks', NEW).json['id']}"
    off = bare_api.call("PATCH", path, json={"enabled": False, "events": ["job.completed"]}).json
    assert (off["enabled"], off["disabled_reason"]) == (False, "switched off")
    assert off["events"] == ["job.completed"]
    assert off["disabled_at"] is not None
    on = bare_api.call("PATCH", path, json={"enabled": True}).json
    assert (on["enabled"], on["disabled_at"], on["url"]) == (True, None, NEW["url"])


def test_a_test_is_one_delivery_however_often_it_is_asked_for(bare_api: Api) -> None:
    profiles(bare_api, "acme", "beta")
    bound = bare_api.key("settings", profiles=["acme"])
    hook = bare_api.post("/webhooks", {**NEW, "profile_ids": ["acme"]}).json["id"]
    path = f"/webhooks/{hook}"
    first, second = (bare_api.post(f"{path}/test", key=bound) for _ in range(2))
    assert (first.status_code, first.json["state"]) == (202, "pending")
    assert second.json["id"] == first.json["id"], "it waits still"
    assert ids(bare_api.get(f"{path}/deliveries?event=webhook.test", key=bound)) == [
        first.json["id"]
    ]
    whole = bare_api.get(f"{path}/deliveries/{first.json['id']}").json
    assert whole["payload"]["type"] == "webhook.test"
    assert whole["payload"]["data"]["webhook_id"] == hook
    everybodys = bare_api.post("/webhooks", NEW).json["id"]
    assert bare_api.post(f"/webhooks/{everybodys}/test").status_code == 202
    assert bare_api.post(f"/webhooks/{everybodys}/test", key=bound).status_code == 404
    assert bare_api.call("PATCH", path, json={"enabled": False}).status_code == 200
    assert bare_api.post(f"{path}/test").json["code"] == "webhook_disabled"
