"""Profiles and their credentials: kept secret, tried before they are saved, in force at once."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from local.sandbox.process import SandboxProcess
from shared.models import Account, Post, Profile
from shared.profiles.publisher_cache import Publisher
from tests.factories.files import FILES
from tests.integration.conftest import DEMO_KEY
from tests.servers.api import Api
from tests.servers.settings import make_settings
from tests.timing.patience import PATIENCE

OTHER_KEY = "sandbox-other-key"


def publish(api: Api, **more: object) -> dict[str, str]:
    body = {"caption": "hello", "integration_ids": ["int-mastodon"], **more}
    made = api.post("/postiz/publish", body, profile="acme")
    assert made.status_code == 202, made.text
    return dict(made.json["job"])


def credentials(postiz: SandboxProcess, key: str = DEMO_KEY) -> dict[str, object]:
    return {"tts_settings": {"postiz": {"api_url": postiz.api_url, "api_key": key}}}


def test_a_profile_is_created_read_replaced_and_deleted(bare_api: Api) -> None:
    made = bare_api.post("/profiles", {"id": "acme", "name": "Acme", "description": "d"})
    assert made.status_code == 201
    assert made.headers["Location"] == "/api/v1/profiles/acme"
    assert bare_api.get("/profiles/acme").json["description"] == "d"
    replaced = bare_api.call("PUT", "/profiles/acme", json={"name": "Acme Inc."})
    assert (replaced.json["name"], replaced.json["description"]) == ("Acme Inc.", None)
    assert bare_api.call("DELETE", "/profiles/acme").status_code == 204
    assert bare_api.get("/profiles/acme").status_code == 404


def test_a_profile_without_an_id_is_given_one(bare_api: Api) -> None:
    made = [bare_api.post("/profiles", {"name": "Acme"}).json["id"] for _ in range(2)]
    assert made[0] != made[1]
    assert bare_api.get(f"/profiles/{made[0]}").json["name"] == "Acme"
    names = ("Café Söhne & Co.", "北京", "x" * 90)
    ids = [bare_api.post("/profiles", {"name": each}).json["id"] for each in names]
    assert [each.rpartition("-")[0] for each in ids] == ["cafe-sohne-co", "p", "x" * 40]


def test_an_id_is_given_once(bare_api: Api) -> None:
    assert bare_api.post("/profiles", {"id": "acme", "name": "A"}).status_code == 201
    again = bare_api.post("/profiles", {"id": "acme", "name": "B"})
    assert again.status_code == 409
    assert bare_api.get("/profiles/acme").json["name"] == "A"


def test_no_reply_holds_a_whole_key_and_the_database_only_an_encrypted_one(api: Api) -> None:
    for path in ("/profiles", "/profiles/acme", "/profiles/acme/credentials", "/accounts"):
        assert DEMO_KEY not in api.get(path).text
    shown = api.get("/profiles/acme/credentials").json
    assert (shown["source"], shown["api_key"]) == ("profile", "••••-key")
    with api.services.database.transaction() as session:
        assert DEMO_KEY not in str(session.get_one(Profile, "acme").tts_settings)


def test_settings_merge_at_the_top_level(api: Api) -> None:
    api.call("PATCH", "/profiles/acme", json={"tts_settings": {"voice": {"a": 1}, "speed": 1}})
    changed = api.call("PATCH", "/profiles/acme", json={"tts_settings": {"voice": {"b": 2}}})
    settings = changed.json["tts_settings"]
    assert (settings["voice"], settings["speed"]) == ({"b": 2}, 1)
    assert settings["postiz"]["api_key"] == "••••-key"


def test_a_patch_says_what_trying_the_new_credentials_came_to(
    api: Api, postiz: SandboxProcess
) -> None:
    good = api.call("PATCH", "/profiles/acme", json=credentials(postiz))
    assert good.json["postiz_check"]["ok"] is True
    bad = api.call("PATCH", "/profiles/acme", json=credentials(postiz, "no-such-key"))
    assert (bad.status_code, bad.json["postiz_check"]["ok"]) == (200, False)
    away = {"postiz": {"api_url": "http://127.0.0.1:9", "api_key": "a-long-enough-key"}}
    gone = api.call("PATCH", "/profiles/acme", json={"tts_settings": away})
    assert (gone.status_code, gone.json["postiz_check"]["ok"]) == (200, False)
    quiet = api.call("PATCH", "/profiles/acme", json={"name": "New"})
    assert quiet.json["postiz_check"] is None


def test_a_key_saved_before_it_works_leads_to_the_same_account_once_it_does(
    api: Api, postiz: SandboxProcess
) -> None:
    before = api.get("/profiles/acme").json["account_id"]
    saved = api.call("PATCH", "/profiles/acme", json=credentials(postiz, "a-key-of-tomorrow"))
    assert saved.json["account_id"] != before
    refused = api.get("/postiz/integrations", profile="acme")
    assert (refused.status_code, refused.json["code"]) == (400, "credentials_rejected")
    postiz.admin.patch_org("demo", add_keys=["a-key-of-tomorrow"])
    try:
        assert api.get("/postiz/integrations", profile="acme").status_code == 200
    finally:
        postiz.admin.patch_org("demo", revoke_keys=["a-key-of-tomorrow"])
    assert api.get("/profiles/acme").json["account_id"] == before


def test_no_refusal_repeats_a_password_in_an_address(api: Api) -> None:
    given = {"postiz": {"api_url": "redis://me:hunter2@postiz.example", "api_key": "a-long-key-1"}}
    refused = api.call("PATCH", "/profiles/acme", json={"tts_settings": given})
    assert refused.status_code == 400
    assert "hunter2" not in refused.text


def test_null_goes_back_to_the_environment(api: Api) -> None:
    cleared = api.call("PATCH", "/profiles/acme", json={"tts_settings": {"postiz": None}})
    assert "postiz" not in cleared.json["tts_settings"]
    assert api.get("/profiles/acme/credentials").json == {
        "source": "none",
        "api_url": None,
        "api_key": None,
    }


def test_the_environment_serves_profiles_without_their_own(
    database_url: str, redis_url: str, postiz: SandboxProcess, tmp_path: Path
) -> None:
    environ = {"POSTIZ_API_URL": postiz.api_url, "POSTIZ_API_KEY": DEMO_KEY}
    api = Api(make_settings(database_url, tmp_path, REDIS_URL=redis_url, **environ))
    try:
        api.post("/profiles", {"id": "plain", "name": "P"})
        assert api.get("/profiles/plain/credentials").json["source"] == "environment"
        assert api.get("/postiz/status", profile="plain").json["connected"] is True
        body = {"caption": "hi", "integration_ids": ["int-mastodon"]}
        assert api.post("/postiz/publish", body, profile="plain").status_code == 202
    finally:
        api.close()


def test_a_patch_moves_what_was_never_released_to_the_new_account(
    api: Api, postiz: SandboxProcess
) -> None:
    publish(api)
    with api.services.database.transaction() as session:
        before = session.scalars(select(Post.account_id)).one()
    api.call("PATCH", "/profiles/acme", json=credentials(postiz, OTHER_KEY))
    with api.services.database.transaction() as session:
        after = session.scalars(select(Post.account_id)).one()
        assert after == session.get_one(Profile, "acme").account_id != before


def test_a_patch_is_in_force_here_before_it_answers_and_is_heard_elsewhere(
    api: Api, postiz: SandboxProcess
) -> None:
    heard: list[dict[str, Any]] = []
    channel = api.services.broker.pubsub()  # type: ignore[no-untyped-call]
    channel.subscribe("pressroom.invalidate")
    api.get("/postiz/integrations", profile="acme")
    assert "acme" in api.services.publishers
    api.call("PATCH", "/profiles/acme", json=credentials(postiz, OTHER_KEY))
    assert "acme" not in api.services.publishers
    names = {row["id"] for row in api.get("/postiz/integrations", profile="acme").json}
    assert names == {"int-other-x", "int-other-mastodon", "int-other-tiktok"}
    deadline = time.monotonic() + PATIENCE
    while not heard and time.monotonic() < deadline:
        message = channel.get_message(timeout=0.1)
        heard += [message] if message and message["type"] == "message" else []
    assert b"acme" in heard[0]["data"]
    channel.close()


def test_a_broker_that_is_down_fails_no_patch(
    database_url: str, postiz: SandboxProcess, tmp_path: Path
) -> None:
    api = Api(make_settings(database_url, tmp_path, REDIS_URL="redis://127.0.0.1:9/0"))
    try:
        api.post("/profiles", {"id": "acme", "name": "A"})
        assert api.call("PATCH", "/profiles/acme", json=credentials(postiz)).status_code == 200
        assert publish(api)["state"] == "queued"
        assert api.upload(FILES.png(), profile="acme").status_code == 202
    finally:
        api.close()


def test_two_patches_at_once_both_count(api: Api) -> None:
    def patch(name: str) -> None:
        api.call("PATCH", "/profiles/acme", json={"tts_settings": {name: 1}})

    before = _version(api)
    threads = [threading.Thread(target=patch, args=(f"s{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settings = api.get("/profiles/acme").json["tts_settings"]
    assert {f"s{n}" for n in range(6)} <= set(settings)
    assert _version(api) == before + 6


def _version(api: Api) -> int:
    with api.services.database.transaction() as session:
        return session.get_one(Profile, "acme").settings_version


def test_credentials_are_tried_without_being_saved(api: Api, postiz: SandboxProcess) -> None:
    before = api.get("/profiles/acme").json
    saved = api.post("/profiles/acme/validate").json
    assert (saved["ok"], len(saved["integrations"])) == (True, 8)
    given = api.post(
        "/profiles/acme/validate", {"api_url": postiz.api_url, "api_key": "no-such-key"}
    ).json
    assert given["ok"] is False
    assert "key" in given["detail"]
    only_key = api.post("/profiles/acme/validate", {"api_key": OTHER_KEY}).json
    assert len(only_key["integrations"]) == 3
    assert api.get("/profiles/acme").json == before


def test_a_saved_key_is_never_sent_to_another_address(api: Api) -> None:
    refused = api.post("/profiles/acme/validate", {"api_url": "http://127.0.0.1:9"})
    assert refused.status_code == 400


def test_a_private_address_is_refused_unless_allowed(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = make_settings(
        database_url, tmp_path, REDIS_URL=redis_url, PRESSROOM_ALLOW_PRIVATE_URLS="0"
    )
    api = Api(settings)
    try:
        postiz = {"api_url": "http://127.0.0.1:5000", "api_key": "a-long-enough-key"}
        body = {"id": "p", "name": "P", "tts_settings": {"postiz": postiz}}
        refused = api.post("/profiles", body)
        assert refused.status_code == 400
        assert refused.json["errors"][0]["field"] == "tts_settings.postiz.api_url"
        assert api.get("/profiles").json["items"] == []
    finally:
        api.close()


@pytest.mark.parametrize("state", ["pending", "held"])
def test_a_deletion_is_refused_while_posts_are_waiting_unless_forced(api: Api, state: str) -> None:
    api.upload(FILES.png(), profile="acme")
    publish(api)
    with api.services.database.transaction() as session:
        session.scalars(select(Post)).one().state = state
    assert api.call("DELETE", "/profiles/acme").status_code == 409
    assert len(api.files()) == 1
    assert api.call("DELETE", "/profiles/acme?force=true").status_code == 204
    assert api.files() == []
    left = {name for name, count in api.rows().items() if count}
    assert left <= {"accounts", "integrations", "api_keys", "audit_entries"}


@pytest.mark.parametrize("state", ["staging", "staged", "releasing", "scheduled"])
def test_even_a_forced_deletion_loses_no_track_of_what_is_in_postiz(api: Api, state: str) -> None:
    publish(api)
    with api.services.database.transaction() as session:
        session.scalars(select(Post)).one().state = state
    before = api.rows()
    assert api.call("DELETE", "/profiles/acme?force=true").status_code == 409
    assert api.rows() == before


def test_pausing_is_a_flag_that_resuming_takes_away(api: Api) -> None:
    assert api.post("/profiles/acme/pause").json["paused"] is True
    assert api.get("/profiles/acme").json["paused"] is True
    assert api.post("/profiles/acme/resume").json["paused"] is False


def test_status_tells_what_is_configured_and_whether_it_answers(
    api: Api, postiz: SandboxProcess
) -> None:
    good = api.get("/postiz/status", profile="acme").json
    assert (good["configured"], good["connected"], good["source"]) == (True, True, "profile")
    assert set(good["account"]) == {
        "budget_limit",
        "budget_remaining",
        "resets_at",
        "blocked_until",
        "healthy",
    }
    api.call("PATCH", "/profiles/acme", json=credentials(postiz, "no-such-key"))
    bad = api.get("/postiz/status", profile="acme").json
    assert (bad["configured"], bad["connected"]) == (True, False)
    assert "refused" in bad["detail"]
    api.post("/profiles", {"id": "none", "name": "N"})
    none = api.get("/postiz/status", profile="none").json
    assert (none["configured"], none["connected"], none["source"]) == (False, False, "none")


def test_integrations_are_live_or_the_last_known_ones_marked_stale(
    api: Api, postiz: SandboxProcess
) -> None:
    live = api.get("/postiz/integrations", profile="acme")
    assert "X-Stale" not in live.headers
    postiz.admin.add_fault("html_502", route="GET /integrations")
    stale = api.get("/postiz/integrations", profile="acme")
    assert stale.headers["X-Stale"] == "true"
    assert sorted(row["id"] for row in stale.json) == sorted(row["id"] for row in live.json)


def test_no_list_at_all_is_a_503(api: Api) -> None:
    away = {"postiz": {"api_url": "http://127.0.0.1:9", "api_key": "a-long-enough-key"}}
    api.call("PATCH", "/profiles/acme", json={"tts_settings": away})
    reply = api.get("/postiz/integrations", profile="acme")
    assert reply.status_code == 503
    assert reply.headers["Retry-After"]


def test_an_address_that_moved_between_the_base_paths_is_found_again(
    api: Api, postiz: SandboxProcess
) -> None:
    wrong = postiz.api_url.replace("/public/v1", "/elsewhere/public/v1")
    with api.services.database.transaction() as session:
        account = session.scalars(select(Account)).one()
        account.base_url, kept = wrong, account.base_url
    assert api.get("/postiz/integrations", profile="acme").status_code == 200
    with api.services.database.transaction() as session:
        assert session.scalars(select(Account)).one().base_url == kept


def test_accounts_show_what_their_profiles_need_to_know(api: Api, postiz: SandboxProcess) -> None:
    api.post("/profiles", {"id": "twin", "name": "T", **credentials(postiz)})
    publish(api)
    [account] = api.get("/accounts").json["items"]
    assert account["profile_ids"] == ["acme", "twin"]
    assert (account["backlog"], account["held"], account["healthy"]) == (1, None, True)
    assert len(account["integrations"]) == 8
    paused = api.post(f"/accounts/{account['id']}/pause")
    assert (paused.status_code, paused.json["paused"]) == (200, True)
    assert api.post(f"/accounts/{account['id']}/resume").json["paused"] is False


def test_a_publisher_of_an_old_version_is_never_used(api: Api, postiz: SandboxProcess) -> None:
    api.get("/postiz/integrations", profile="acme")
    old: Publisher = api.services.publishers.get("acme", 1)
    api.call("PATCH", "/profiles/acme", json=credentials(postiz, OTHER_KEY))
    assert api.services.publishers.get("acme", _version(api)) is not old
