"""Every malformed request gets its documented 4xx as a problem, and changes nothing."""

from typing import Any

import pytest

from tests.api import Api

JSON = {"content_type": "application/json"}
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
