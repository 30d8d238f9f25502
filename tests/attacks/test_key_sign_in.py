"""Attack 11: a browser that a key has signed in is the key, and nothing more or longer."""

import logging
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select, text, update

from local.valkey import Valkey
from shared.models import AuditEntry, KeySession
from tests.servers.api import ADMIN_KEY, Api
from tests.servers.browsers import PASSWORD, Browser, make_user
from tests.servers.settings import make_settings
from web.pages.layout import NAVIGATION
from web.people.page_session import HOME

WRONG = "This API key is unknown"


@pytest.fixture(scope="module")
def installation(
    module_database_url: str, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("keys")
    few = {"PRESSROOM_FAILED_KEYS_PER_MINUTE": "30"}
    api = Api(make_settings(module_database_url, home, REDIS_URL=valkey_server.url(), **few))
    yield api
    api.close()


@pytest.fixture
def bare_api(installation: Api) -> Api:
    installation.empty()
    return installation


def profiles(api: Api) -> None:
    for name in ("acme", "beta"):
        assert api.post("/profiles", {"id": name, "name": name}).status_code == 201


def key_of(api: Api, *scopes: str, **more: object) -> tuple[str, str]:
    """The key and its id."""
    body = {"name": "of acme", "scopes": scopes, "profile_ids": ["acme"], **more}
    made = api.post("/keys", body)
    assert made.status_code == 201, made.text
    return made.json["key"], made.json["id"]


def signed_in(api: Api, key: str) -> Browser:
    browser = Browser(api)
    reply = browser.submit("/sign-in", {"api_key": key})
    assert (reply.status_code, reply.location) == (303, HOME), reply.text
    return browser


def test_it_sees_and_does_what_the_key_may_and_no_more(bare_api: Api) -> None:
    profiles(bare_api)
    browser = signed_in(bare_api, key_of(bare_api, "read")[0])
    own = browser.get("/session").json
    assert (own["user"], own["scopes"], own["signed_in_key"]["profile_ids"]) == (
        None,
        ["read"],
        ["acme"],
    )
    assert [row["id"] for row in browser.get("/profiles").json["items"]] == ["acme"]
    assert browser.get("/profiles/beta").status_code == 404
    for method, path, body in (
        ("PATCH", "/profiles/acme", {"name": "mine"}),
        ("POST", "/keys", {"name": "k", "scopes": ["admin"]}),
        ("POST", "/users", {"email": "a@b.c", "name": "A", "role": "admin"}),
        ("POST", "/session/end-everywhere", {}),
        ("POST", "/session/password", {"current_password": PASSWORD, "new_password": PASSWORD}),
    ):
        assert browser.call(method, path, json=body).status_code == 403, path
    assert browser.get("/keys").status_code == browser.get("/audit").status_code == 403
    for path, _ in NAVIGATION:
        assert browser.open("GET", path).status_code == 200, path
    shown = browser.open("GET", "/account").text
    assert "of acme" in shown and "Scopes: read, for acme" in shown
    assert browser.open("GET", "/sign-in/second-factor").status_code == 303
    admin = signed_in(bare_api, ADMIN_KEY)
    assert admin.get("/keys").status_code == 200


def test_it_ends_with_the_key_whatever_ends_the_key(bare_api: Api) -> None:
    profiles(bare_api)
    (deleted, first), (rotated, second), (expiring, third) = (
        key_of(bare_api, "read") for _ in range(3)
    )
    unbound = key_of(bare_api, "read", profile_ids=["acme", "beta"])[0]
    browsers = [signed_in(bare_api, key) for key in (deleted, rotated, expiring, unbound)]
    assert [browser.get("/posts").status_code for browser in browsers] == [200] * 4
    bare_api.call("DELETE", f"/keys/{first}")
    newer = bare_api.post(f"/keys/{second}/rotate", {"overlap_seconds": 3600}).json["key"]
    assert browsers[1].get("/posts").status_code == 200, "as long as the earlier key"
    bare_api.post(f"/keys/{second}/rotate", {"overlap_seconds": 0})
    with bare_api.services.database.transaction() as session:
        session.execute(
            text("UPDATE api_keys SET expires_at = now() WHERE id = :id"), {"id": third}
        )
    assert bare_api.call("DELETE", "/profiles/acme?force=true").status_code in {202, 204}
    assert [browser.get("/posts").status_code for browser in browsers] == [401, 401, 401, 200]
    assert browsers[0].open("GET", "/").location == "/sign-in"
    assert browsers[3].get("/profiles/acme").status_code == 404
    assert Browser(bare_api).submit("/sign-in", {"api_key": newer}).status_code == 401


def test_it_ends_at_a_sign_out_and_by_itself(bare_api: Api) -> None:
    browser = signed_in(bare_api, ADMIN_KEY)
    stolen = Browser(bare_api)
    stolen.token = browser.token or ""
    assert stolen.get("/posts").status_code == 200
    assert browser.submit("/sign-out", {}).location == "/sign-in"
    assert (browser.token, stolen.get("/posts").status_code) == (None, 401)
    for ended in ({"ends_at": func.now()}, {"last_used_at": func.now() - text("interval '3 h'")}):
        browser = signed_in(bare_api, ADMIN_KEY)
        with bare_api.services.database.transaction() as session:
            session.execute(update(KeySession).values(ended))
        assert browser.get("/posts").status_code == 401
    browser = signed_in(bare_api, ADMIN_KEY)
    assert browser.call("DELETE", "/session").status_code == 204
    assert browser.get("/posts").status_code == 401


def test_another_sites_form_and_request_are_refused(bare_api: Api) -> None:
    browser = Browser(bare_api)
    assert browser.submit("/sign-in", {"api_key": ADMIN_KEY}, csrf="x").status_code == 403
    assert browser.token is None
    browser = signed_in(bare_api, ADMIN_KEY)
    assert browser.post("/profiles", {"name": "N"}, csrf="").json["code"] == "csrf"
    planted = Browser(bare_api)
    planted.token = "key.planted"
    assert planted.get("/posts").status_code == 401
    planted.submit("/sign-in", {"api_key": ADMIN_KEY})
    assert planted.token not in {None, "key.planted"}


def test_it_takes_the_place_of_a_person_and_leaves_nothing_of_theirs(bare_api: Api) -> None:
    make_user(bare_api)
    browser = Browser(bare_api)
    browser.submit("/sign-in", {"email": "ann@example.com", "password": PASSWORD})
    persons = browser.token or ""
    browser.submit("/sign-in", {"api_key": ADMIN_KEY})
    older = Browser(bare_api)
    older.token = persons
    assert older.get("/session").status_code == 401
    keys = browser.token or ""
    browser.submit("/sign-in", {"email": "ann@example.com", "password": PASSWORD})
    older.token = keys
    assert older.get("/session").status_code == 401


def test_wrong_keys_are_counted_noted_nowhere_and_told_apart_by_nothing(
    bare_api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = Browser(bare_api)
    browser.client.environ_base["REMOTE_ADDR"] = "2001:db8:5::1"
    most = bare_api.services.settings.failed_keys_per_minute
    statuses = []
    for number in range(most + 1):
        reply = browser.submit("/sign-in", {"api_key": f"pr_wrong-{number}"})
        statuses.append(reply.status_code)
        assert WRONG in reply.text and "pr_wrong" not in reply.text
    assert statuses == [401] * most + [429]
    assert browser.submit("/sign-in", {"api_key": ADMIN_KEY}).status_code == 429
    elsewhere = signed_in(bare_api, ADMIN_KEY)
    assert ADMIN_KEY not in caplog.text and "pr_wrong" not in caplog.text
    with bare_api.services.database.transaction() as session:
        entries = session.scalars(select(AuditEntry)).all()
        assert [(each.actor_kind, each.operation) for each in entries] == [("key", "sign_in")]
        row = session.scalars(select(KeySession)).one()
        stored = f"{vars(row)} {vars(entries[0])}"
    assert ADMIN_KEY not in stored and (elsewhere.token or "?") not in stored
