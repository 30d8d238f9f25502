"""Every malformed request gets its documented 4xx as a problem, and changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from tests.servers.api import Api
from tests.servers.settings import make_settings

JSON: dict[str, Any] = {"content_type": "application/json"}
#: Each endpoint that takes JSON, with a body that it would accept.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/profiles"): {"name": "New"},
    ("PUT", "/profiles/acme"): {"name": "New"},
    ("PATCH", "/profiles/acme"): {"name": "New"},
    ("POST", "/profiles/acme/validate"): {"api_key": "some-other-key"},
    ("POST", "/postiz/publish"): {"caption": "hi", "integration_ids": ["int-mastodon"]},
    ("POST", "/postiz/bulk-publish"): {
        "items": [{"caption": "hi"}],
        "integration_ids": ["int-mastodon"],
    },
    ("POST", "/postiz/upload"): {"url": "http://example.com/a.mp4"},
    ("POST", "/postiz/bulk-upload"): {"items": [{"url": "http://example.com/a.mp4"}]},
    ("POST", "/keys"): {"name": "k", "scopes": ["read"]},
}
MALFORMED: list[tuple[str, dict[str, Any]]] = [
    ("not JSON", {"data": b"{", **JSON}),
    ("half a body", {"data": b'{"name": "N', **JSON}),
    ("a list", {"data": b"[]", **JSON}),
    ("a text", {"data": b'"{}"', **JSON}),
    ("null", {"data": b"null", **JSON}),
    ("a number", {"data": b"5", **JSON}),
    ("not UTF-8", {"data": b'{"name": "\xff"}', **JSON}),
    ("NaN", {"data": b'{"name": NaN}', **JSON}),
    ("nested without end", {"data": b"[" * 100_000, **JSON}),
    ("another content type", {"data": b"name=N", "content_type": "text/plain"}),
    ("a form", {"data": {"name": "N"}}),
]


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_bodies_that_are_no_json_objects(api: Api, method: str, path: str) -> None:
    before = api.rows()
    for what, more in MALFORMED:
        reply = api.call(method, path, profile="acme", **more)
        assert reply.status_code == 400, (what, reply.text)
        assert reply.mimetype == "application/problem+json", what
    assert api.rows() == before


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_unknown_fields_and_texts_that_cannot_be_stored_are_named(
    api: Api, method: str, path: str
) -> None:
    good = BODIES[method, path]
    before = api.rows()
    for field, value in (("surprise", 1), ("nul", "a\0b"), ("half", "\ud800"), ("big", 1e999)):
        text = _json({**good, field: value})
        reply = api.call(method, path, profile="acme", data=text, **JSON)
        assert reply.status_code == 400, reply.text
        assert [fault["field"] for fault in reply.json["errors"]] == [field]
    assert api.rows() == before


def _json(value: dict[str, Any]) -> bytes:
    import json

    return json.dumps(value).replace("Infinity", "1e999").encode()


KINDS: list[tuple[str, str, dict[str, Any], str]] = [
    ("POST", "/profiles", {"name": 5}, "name"),
    ("POST", "/profiles", {"name": ""}, "name"),
    ("POST", "/profiles", {}, "name"),
    ("POST", "/profiles", {"name": "N", "id": "../x"}, "id"),
    ("POST", "/profiles", {"name": "N", "id": ""}, "id"),
    ("POST", "/profiles", {"name": "N", "id": "a" * 65}, "id"),
    ("POST", "/profiles", {"name": "N", "tts_settings": []}, "tts_settings"),
    ("PATCH", "/profiles/acme", {"name": None}, "body"),
    ("PATCH", "/profiles/acme", {"tts_settings": "x"}, "tts_settings"),
    (
        "PATCH",
        "/profiles/acme",
        {"tts_settings": {"postiz": {"api_url": "http://a.b"}}},
        "tts_settings.postiz.api_key",
    ),
    (
        "PATCH",
        "/profiles/acme",
        {"tts_settings": {"postiz": {"api_key": "k"}}},
        "tts_settings.postiz.api_url",
    ),
    (
        "PATCH",
        "/profiles/acme",
        {"tts_settings": {"postiz": {"api_url": "http://a.b", "api_key": "••••1f3a"}}},
        "tts_settings.postiz.api_key",
    ),
    (
        "PATCH",
        "/profiles/acme",
        {"tts_settings": {"postiz": {"api_url": "http://a.b", "api_key": "a\nb"}}},
        "tts_settings.postiz.api_key",
    ),
    (
        "PATCH",
        "/profiles/acme",
        {"tts_settings": {"postiz": {"api_url": "ftp://a.b", "api_key": "k"}}},
        "tts_settings.postiz.api_url",
    ),
    (
        "PATCH",
        "/profiles/acme",
        {"tts_settings": {"postiz": {"api_url": "http://", "api_key": "k"}}},
        "tts_settings.postiz.api_url",
    ),
    ("PATCH", "/profiles/acme", {"tts_settings": {"postiz": "x"}}, "tts_settings.postiz"),
    ("POST", "/profiles/acme/validate", {"api_url": "http://a.b"}, "body"),
    ("POST", "/postiz/publish", {"caption": "a"}, "integration_ids"),
    ("POST", "/postiz/publish", {"integration_ids": []}, "integration_ids"),
    ("POST", "/postiz/publish", {"integration_ids": "int-x"}, "integration_ids"),
    ("POST", "/postiz/publish", {"integration_ids": [5]}, "integration_ids.0"),
    ("POST", "/postiz/publish", {"integration_ids": ["a"], "caption": 5}, "caption"),
    ("POST", "/postiz/publish", {"integration_ids": ["a"], "media_ids": [1]}, "media_ids.0"),
    (
        "POST",
        "/postiz/publish",
        {"integration_ids": ["a"], "captions_per_platform": {"x": None}},
        "captions_per_platform.x",
    ),
    ("POST", "/postiz/publish", {"integration_ids": ["a"], "settings": {"x": 1}}, "settings.x"),
    (
        "POST",
        "/postiz/publish",
        {"integration_ids": ["a"], "schedule_date": "soon"},
        "schedule_date",
    ),
    (
        "POST",
        "/postiz/publish",
        {"integration_ids": ["a"], "schedule_date": 1754000000},
        "schedule_date",
    ),
    (
        "POST",
        "/postiz/publish",
        {"integration_ids": ["int-mastodon"], "schedule_date": "0001-01-01T00:00:00+14:00"},
        "schedule_date",
    ),
    ("POST", "/postiz/publish", {"integration_ids": ["a"], "timezone": "Mars"}, "timezone"),
    ("POST", "/postiz/publish", {"integration_ids": ["a"], "timezone": "../etc"}, "timezone"),
    ("POST", "/postiz/publish", {"integration_ids": ["a"], "handoff": "later"}, "handoff"),
    ("POST", "/postiz/publish", {"integration_ids": ["a"], "save_as_draft": 1}, "save_as_draft"),
    (
        "POST",
        "/postiz/publish",
        {"integration_ids": ["a"], "external_id": "e" * 256},
        "external_id",
    ),
    ("POST", "/postiz/bulk-publish", {"items": []}, "items"),
    ("POST", "/postiz/bulk-publish", {}, "items"),
    ("POST", "/postiz/bulk-publish", {"items": [5]}, "items.0"),
    ("POST", "/postiz/bulk-publish", {"items": [{"captoin": "a"}]}, "items.0.captoin"),
    ("POST", "/postiz/bulk-publish", {"items": [{}] * 10_001}, "items"),
    (
        "POST",
        "/postiz/bulk-publish",
        {"items": [{}], "schedule_interval_minutes": -1},
        "schedule_interval_minutes",
    ),
    (
        "POST",
        "/postiz/bulk-publish",
        {"items": [{}], "schedule_interval_minutes": "30"},
        "schedule_interval_minutes",
    ),
    (
        "POST",
        "/postiz/bulk-publish",
        {"items": [{}], "schedule_jitter_minutes": 1e12},
        "schedule_jitter_minutes",
    ),
    ("POST", "/postiz/bulk-publish", {"items": [{}], "jitter_seed": 1.5}, "jitter_seed"),
    (
        "POST",
        "/postiz/bulk-publish",
        {"items": [{"schedule_date": "x"}], "integration_ids": ["a"]},
        "items.0.schedule_date",
    ),
    ("POST", "/postiz/bulk-upload", {"items": []}, "items"),
    ("POST", "/postiz/bulk-upload", {"items": [{"url": ""}]}, "items.0.url"),
    ("POST", "/keys", {"name": "k", "scopes": []}, "scopes"),
    ("POST", "/keys", {"name": "k", "scopes": ["everything"]}, "scopes.0"),
    ("POST", "/keys", {"name": "k", "scopes": ["read"], "profile_ids": []}, "profile_ids"),
    ("POST", "/keys", {"name": "k", "scopes": ["read"], "expires_at": 5}, "expires_at"),
]


def test_fields_of_the_wrong_kind_are_named(api: Api) -> None:
    before = api.rows()
    for method, path, body, field in KINDS:
        reply = api.call(method, path, profile="acme", json=body)
        assert reply.status_code == 400, (path, body, reply.text)
        assert reply.mimetype == "application/problem+json"
        assert field in [fault["field"] for fault in reply.json["errors"]], (body, reply.text)
        assert all(fault["message"] for fault in reply.json["errors"])
    assert api.rows() == before


#: What is no address anywhere, and what is none of a Postiz besides.
NO_ADDRESSES = [
    "ftp://a.example",
    "http://",
    "http://a..b",
    f"http://{'x' * 64}.example",
    "http://user:sesame@a.example",
    "http://a.example/#part",
    "http://a.example:0",
    "http://a.example:99999",
    "http://a.example/\x07",
    "http://not a host",
    "http://[::1",
]
NO_POSTIZ = ["not a url", "a..b", "http://a.example?x=1", "http://a.example//x", "http://a b"]


def test_malformed_addresses_are_named_wherever_they_are_given(api: Api) -> None:
    before = api.rows()
    key = {"api_key": "a-long-enough-key"}
    for url in NO_ADDRESSES + NO_POSTIZ:
        postiz = {"tts_settings": {"postiz": {"api_url": url, **key}}}
        path = "tts_settings.postiz.api_url"
        _refused(api, "POST", "/profiles", {"name": "N", **postiz}, path)
        _refused(api, "PATCH", "/profiles/acme", postiz, path)
        _refused(api, "POST", "/profiles/acme/validate", {"api_url": url, **key}, "api_url")
    for url in NO_ADDRESSES:
        _refused(api, "POST", "/webhooks", {"url": url, "events": ["post.failed"]}, "url")
        _refused(api, "POST", "/postiz/upload", {"url": url}, "url")
    assert api.rows() == before


def _refused(api: Api, method: str, path: str, body: dict[str, Any], field: str) -> None:
    reply = api.call(method, path, profile="acme", json=body)
    assert reply.status_code == 400, (path, body, reply.text)
    assert [fault["field"] for fault in reply.json["errors"]] == [field], (body, reply.text)
    assert "sesame" not in reply.text


def test_of_many_uploads_those_with_a_malformed_address_are_refused(api: Api) -> None:
    items = [{"url": url} for url in ("http://127.0.0.1:9/a.mp4", *NO_ADDRESSES)]
    reply = api.post("/postiz/bulk-upload", {"items": items}, profile="acme")
    assert reply.status_code == 202, reply.text
    [good, *refused] = reply.json["items"]
    assert good["ok"]
    assert {item["error"]["code"] for item in refused} == {"malformed_address"}


def test_plain_http_is_refused_where_a_proxy_is_set(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    proxied = {"PRESSROOM_PROXY_URL": "http://proxy.example:3128", "POSTIZ_API_KEY": "k"}
    settings = make_settings(
        database_url, tmp_path, REDIS_URL=redis_url, POSTIZ_API_URL="http://203.0.113.1", **proxied
    )
    api = Api(settings)
    try:
        api.post("/profiles", {"id": "acme", "name": "A"})
        http = {"url": "http://a.example/x"}
        for path, body in (
            ("/webhooks", {**http, "events": ["post.failed"]}),
            ("/postiz/upload", http),
            ("/profiles/acme/validate", {}),
        ):
            reply = api.post(path, body, profile="acme")
            assert (reply.status_code, reply.json["code"]) == (400, "proxy_needs_https"), reply.text
            assert "PRESSROOM_PROXY_URL" in reply.json["detail"]
        status = api.get("/postiz/status", profile="acme").json
        assert status["connected"] is False
        assert "PRESSROOM_PROXY_URL" in status["detail"]
    finally:
        api.close()


QUERIES = [
    "/jobs?limit=0",
    "/jobs?limit=1001",
    "/jobs?limit=x",
    "/jobs?state=done",
    "/jobs?kind=other",
    "/jobs?surprise=1",
    "/jobs?cursor=%00",
    "/jobs?cursor=!!",
    "/jobs?cursor=YWJj",
    "/posts?state=queued",
    "/posts?from=yesterday",
    "/posts?integration_id=%00",
    "/profiles?cursor=AA",
    "/keys?limit=-1",
    "/accounts?cursor=LTE",
]


def test_queries_of_the_wrong_kind_are_refused(api: Api) -> None:
    for path in QUERIES:
        reply = api.get(path)
        assert reply.status_code == 400, (path, reply.text)
        assert reply.json["errors"], path


STRANGE_IDS = ["nobody", "0", "-1", "1" * 30, "%00", "a%2Fb", "..%2F..", "é", "1.0", "१"]


def test_ids_that_cannot_be_are_not_found(api: Api) -> None:
    before = api.rows()
    for strange in STRANGE_IDS:
        for method, path in (
            ("GET", "/profiles/{}"),
            ("DELETE", "/profiles/{}"),
            ("POST", "/profiles/{}/pause"),
            ("GET", "/profiles/{}/credentials"),
            ("GET", "/jobs/{}"),
            ("POST", "/jobs/{}/pause"),
            ("GET", "/posts/{}"),
            ("POST", "/accounts/{}/pause"),
            ("DELETE", "/keys/{}"),
        ):
            reply = api.call(method, path.format(strange))
            assert reply.status_code == 404, (method, path, strange, reply.text)
            assert reply.mimetype == "application/problem+json"
    assert api.rows() == before


def test_paths_and_methods_that_do_not_exist_are_problems_too(api: Api) -> None:
    missing = api.get("/no/such/path")
    assert (missing.status_code, missing.mimetype) == (404, "application/problem+json")
    wrong = api.call("PUT", "/jobs")
    assert (wrong.status_code, wrong.mimetype) == (405, "application/problem+json")
    assert "GET" in wrong.headers["Allow"]


def test_a_body_of_json_has_a_limit(api: Api) -> None:
    huge = b'{"name": "' + b"a" * (64 * 1024**2) + b'"}'
    reply = api.call("POST", "/profiles", data=huge, **JSON)
    assert (reply.status_code, reply.mimetype) == (413, "application/problem+json")


def test_a_problem_has_all_its_members(api: Api) -> None:
    reply = api.post("/profiles", {"name": "N", "nmae": 1})
    assert reply.json == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "The request is malformed: nmae",
        "code": "invalid_request",
        "retryable": False,
        "errors": [{"field": "nmae", "message": "unknown field", "code": "unknown_field"}],
    }
