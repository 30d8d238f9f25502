"""Idempotency keys: the same request again gets the same answer, and does nothing again."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from shared.errors import InvalidRequest
from shared.models import ApiKey, IdempotencyKey
from shared.net import outbound_route
from shared.postiz import discovery
from tests.factories.files import FILES
from tests.servers.api import Api, Reply
from worker.retention import prune

ONCE = {"Idempotency-Key": "once"}
PUBLISH = {"caption": "hi", "integration_ids": ["int-mastodon"]}
BULK = {"items": [{"caption": "a"}, {"caption": "b"}], "integration_ids": ["int-mastodon"]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/postiz/publish", PUBLISH),
        ("/postiz/bulk-publish", BULK),
        ("/postiz/upload", {"url": "http://example.com/a.mp4"}),
        ("/postiz/bulk-upload", {"items": [{"url": "http://example.com/a.mp4"}]}),
        ("/profiles", {"name": "New"}),
    ],
)
def test_a_repeated_request_is_answered_as_before(
    api: Api, path: str, body: dict[str, Any]
) -> None:
    profile = "acme" if path.startswith("/postiz") else None
    first = api.post(path, body, profile=profile, headers=ONCE)
    assert first.status_code in {201, 202}, first.text
    assert "Idempotent-Replayed" not in first.headers
    before = api.rows()
    again = api.post(path, body, profile=profile, headers=ONCE)
    assert (again.status_code, again.json) == (first.status_code, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert api.rows() == before


def test_what_is_refused_by_now_does_not_hide_the_first_answer(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client whose answer was lost would take the refusal for the outcome, and make another."""
    url = "http://localhost:9/"
    postiz = {"api_url": url, "api_key": "another-key"}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("/webhooks", {"url": url, "events": ["post.published"]}),
        ("/profiles", {"name": "New", "tts_settings": {"postiz": postiz}}),
        ("/schedules", {"name": "s", "cron": "0 9 * * *", "bulk": BULK, "profile_id": "acme"}),
    ]
    first = [api.post(path, body, headers={"Idempotency-Key": path}) for path, body in calls]
    assert [reply.status_code for reply in first] == [201] * 3, [reply.text for reply in first]

    def refuse(*_: Any) -> Any:
        raise InvalidRequest("its name no longer resolves")

    monkeypatch.setattr(outbound_route, "require_allowed", refuse)
    monkeypatch.setattr(discovery, "require_allowed", refuse)
    nothing = {"tts_settings": {"postiz": None}}
    assert api.call("PATCH", "/profiles/acme", json=nothing).status_code == 200
    for (path, body), made in zip(calls, first, strict=True):
        again = api.post(path, body, headers={"Idempotency-Key": path})
        assert (again.status_code, again.json["id"]) == (201, made.json["id"]), again.text
        assert api.post(path, body).status_code == 400


def test_the_order_of_fields_does_not_make_another_request(api: Api) -> None:
    api.post("/postiz/publish", PUBLISH, profile="acme", headers=ONCE)
    turned = dict(reversed(PUBLISH.items()))
    assert api.post("/postiz/publish", turned, profile="acme", headers=ONCE).status_code == 202
    assert api.rows()["jobs"] == 1


def test_another_request_under_the_same_key_is_refused(api: Api) -> None:
    api.post("/postiz/publish", PUBLISH, profile="acme", headers=ONCE)
    before = api.rows()
    for path, body in (
        ("/postiz/publish", {**PUBLISH, "caption": "b"}),
        ("/postiz/bulk-publish", BULK),
    ):
        other = api.post(path, body, profile="acme", headers=ONCE)
        assert (other.status_code, other.json["code"]) == (422, "key_reused")
    assert api.rows() == before


def upload(api: Api, content: bytes, **fields: str) -> Reply:
    return api.upload(content, profile="acme", headers=ONCE, fields=fields)


def test_a_file_is_compared_by_its_content_and_fields(api: Api) -> None:
    first = upload(api, FILES.png(1), external_id="e")
    again = upload(api, FILES.png(1), external_id="e")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json == first.json
    assert upload(api, FILES.png(2), external_id="e").status_code == 422
    assert upload(api, FILES.png(1), external_id="f").status_code == 422
    assert api.rows()["jobs"] == 1
    assert len(api.files()) == 1


def test_keys_are_told_apart_by_who_holds_them(api: Api) -> None:
    other = api.key("publish")
    for key in (None, other):
        more = {} if key is None else {"key": key}
        reply = api.post("/postiz/publish", PUBLISH, profile="acme", headers=ONCE, **more)
        assert "Idempotent-Replayed" not in reply.headers
    assert api.rows()["jobs"] == 2


def test_a_refused_request_may_be_mended_under_the_same_key(api: Api) -> None:
    bad = {**PUBLISH, "integration_ids": ["int-none"]}
    assert api.post("/postiz/publish", bad, profile="acme", headers=ONCE).status_code == 422
    assert api.post("/postiz/publish", PUBLISH, profile="acme", headers=ONCE).status_code == 202


def test_a_first_request_still_under_way_is_a_409_to_try_again(api: Api) -> None:
    with api.services.database.transaction() as session:
        owner = session.scalars(select(ApiKey.id)).one()
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 11))")
        session.execute(lock, {"name": f"key {owner}:once"})
        busy = api.post("/postiz/publish", PUBLISH, profile="acme", headers=ONCE)
    assert (busy.status_code, busy.json["code"]) == (409, "still_under_way")
    assert busy.json["retryable"] is True
    assert api.rows()["jobs"] == 0


def test_many_at_once_do_it_once(api: Api) -> None:
    replies: list[Reply] = []

    def send() -> None:
        replies.append(api.post("/postiz/bulk-publish", BULK, profile="acme", headers=ONCE))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {reply.status_code for reply in replies} <= {202, 409}
    assert len({reply.json["job"]["id"] for reply in replies if reply.status_code == 202}) == 1
    assert (api.rows()["jobs"], api.rows()["posts"]) == (1, 2)


def test_attack_10_a_key_is_shown_once_and_not_in_the_repeated_answer(api: Api) -> None:
    body = {"name": "k", "scopes": ["read"]}
    first, again = (api.post("/keys", body, headers=ONCE) for _ in range(2))
    assert api.get("/profiles", key=first.json["key"]).status_code == 200
    assert (again.status_code, again.json) == (201, {**first.json, "key": None})
    assert again.headers["Idempotent-Replayed"] == "true"
    with api.services.database.transaction() as session:
        kept = session.scalars(select(IdempotencyKey.body)).one()
    assert first.json["key"] not in api.services.box.open(kept)


def test_a_stored_answer_is_encrypted(api: Api) -> None:
    api.post("/postiz/publish", PUBLISH, profile="acme", headers=ONCE)
    with api.services.database.transaction() as session:
        kept = session.scalars(select(IdempotencyKey.body)).one()
    assert '"job"' not in kept
    assert '"job"' in api.services.box.open(kept)


def test_an_answer_is_kept_for_more_than_a_day(api: Api) -> None:
    first = api.post("/postiz/publish", PUBLISH, profile="acme", headers=ONCE)
    with api.services.database.transaction() as session:
        old = func.now() - timedelta(hours=25)
        session.execute(update(IdempotencyKey).values(created_at=old))
        for _ in range(2):
            prune.delete_old_idempotency_keys(session, api.services.settings)
    again = api.post("/postiz/publish", PUBLISH, profile="acme", headers=ONCE)
    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_of_no_sense_is_a_400(api: Api, key: str) -> None:
    headers = {"Idempotency-Key": key}
    reply = api.post("/postiz/publish", PUBLISH, profile="acme", headers=headers)
    assert reply.status_code == 400
    assert api.rows()["jobs"] == 0
