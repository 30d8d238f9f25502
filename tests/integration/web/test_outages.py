"""What we need is away: 503, 507, and words without what only we should know."""

import errno
import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, text, update

from local.ports import free_port
from local.postgres import Postgres
from local.valkey import Valkey
from shared.models import Pulse
from tests.factories.files import FILES
from tests.servers.api import Api
from tests.servers.settings import make_settings
from web.health import PULSES

UNASKED = "; beat, which asks for these signs, is missing too: this worker may be alive"
PUBLISH = {"caption": "hi", "integration_ids": ["int-mastodon"]}


def test_a_database_that_goes_away_is_a_503_and_all_is_well_when_it_is_back(
    postgres: Postgres, valkey_server: Valkey, tmp_path: Path
) -> None:
    postgres.create_database("outage", template="migrated")
    api = Api(make_settings(postgres.url("outage"), tmp_path, REDIS_URL=valkey_server.url()))
    try:
        assert api.get("/profiles").status_code == 200
        postgres.drop_database("outage")
        for reply in (api.get("/profiles"), api.post("/postiz/publish", PUBLISH, profile="acme")):
            assert (reply.status_code, reply.mimetype) == (503, "application/problem+json")
            assert int(reply.headers["Retry-After"]) > 0
            assert reply.json["retryable"] is True
            assert "outage" not in reply.text
        ready = api.get("/health/ready")
        assert (ready.status_code, api.get("/health/live").status_code) == (503, 200)
        assert ready.json["checks"]["database"].startswith("away")
        postgres.create_database("outage", template="migrated")
        api.empty()
        assert api.get("/profiles").status_code == 200
    finally:
        api.close()
        postgres.drop_database("outage")


def test_a_full_disk_is_a_507_and_leaves_no_half_file(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = api.rows()
    monkeypatch.setattr(os, "fsync", full)
    reply = api.upload(FILES.png(), profile="acme")
    assert (reply.status_code, reply.json["code"]) == (507, "storage_full")
    assert api.rows() == before
    assert api.files() == []


def test_an_error_of_our_own_shows_nothing_of_our_insides(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr("shared.jobs.progress.list_newest_jobs", broken)
    reply = api.get("/jobs")
    assert (reply.status_code, reply.mimetype) == (500, "application/problem+json")
    assert "42" not in reply.text


def test_readiness_tells_what_is_missing_until_all_is_there(bare_api: Api) -> None:
    before = bare_api.get("/health/ready", key=None)
    assert before.status_code == 503
    assert before.json["checks"] == {
        "database": "ok",
        "migrations": "ok",
        "worker:release": f"not seen within 30 s{UNASKED}",
        "worker:publish": f"not seen within 30 s{UNASKED}",
        "worker:upload": f"not seen within 30 s{UNASKED}",
        "worker:fetch": f"not seen within 30 s{UNASKED}",
        "worker:webhooks": f"not seen within 30 s{UNASKED}",
        "beat": "not seen within 30 s",
        "broker": "ok",
    }
    with bare_api.services.database.transaction() as session:
        session.add_all(Pulse(name=name) for name in PULSES)
    after = bare_api.get("/health/ready", key=None)
    assert (after.status_code, after.json["ready"]) == (200, True)


@pytest.mark.parametrize("gone", PULSES)
def test_readiness_names_who_went_away_and_when(bare_api: Api, gone: str) -> None:
    with bare_api.services.database.transaction() as session:
        session.add_all(Pulse(name=name) for name in PULSES)
        session.execute(
            update(Pulse).where(Pulse.name == gone).values(seen_at=func.now() - timedelta(0, 47))
        )
    ready = bare_api.get("/health/ready", key=None)
    wrong = {name: reason for name, reason in ready.json["checks"].items() if reason != "ok"}
    assert (ready.status_code, ready.json["ready"]) == (503, False)
    assert ready.headers["Retry-After"] == "5"
    assert wrong == {gone: "not seen within 30 s (last 47 s ago)"}


def test_readiness_names_tables_of_another_version(bare_api: Api) -> None:
    with bare_api.services.database.transaction() as session:
        session.add_all(Pulse(name=name) for name in PULSES)
        newest = session.scalar(text("SELECT version_num FROM alembic_version"))
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    try:
        ready = bare_api.get("/health/ready", key=None)
        assert ready.status_code == 503
        said = ready.json["checks"]["migrations"]
        assert said == f"the tables are at 0001, and should be at {newest}"
    finally:
        with bare_api.services.database.transaction() as session:
            session.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": newest})


def test_readiness_names_a_broker_that_is_away(
    postgres_url: str, tmp_path: Path, bare_api: Api
) -> None:
    api = Api(make_settings(postgres_url, tmp_path, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0"))
    try:
        with api.services.database.transaction() as session:
            session.add_all(Pulse(name=name) for name in PULSES)
        ready = api.get("/health/ready", key=None)
        wrong = {name: reason for name, reason in ready.json["checks"].items() if reason != "ok"}
        assert (ready.status_code, wrong) == (503, {"broker": "away (ConnectionError)"})
    finally:
        api.close()


def test_the_description_names_every_endpoint_and_its_problems(bare_api: Api) -> None:
    spec = bare_api.get("/openapi.json", key=None).json
    assert "/api/v1/postiz/bulk-publish" in spec["paths"]
    routes = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in bare_api.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/api/v1", "/health", "/calendar.ics"))
    }
    documented = {(path, method) for path, of in spec["paths"].items() for method in of}
    assert documented == routes
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], path
            if path.startswith("/api"):
                assert {"400", "401", "403", "404", "503"} <= set(operation["responses"])
            if method in {"put", "patch"}:
                assert operation["requestBody"]
    upload = spec["paths"]["/api/v1/postiz/upload"]["post"]
    assert set(upload["requestBody"]["content"]) == {"multipart/form-data", "application/json"}
    assert "Idempotency-Key" in [header["name"] for header in upload["parameters"]]


def test_the_docs_are_served_without_a_key_and_without_the_internet(bare_api: Api) -> None:
    page = bare_api.get("/docs/api", key=None)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "://" not in page.text.replace("http://www.w3.org", "")
    client = bare_api.app.test_client()
    for name in ("js/swagger-ui-bundle.js", "css/swagger-ui.css"):
        assert f"swagger/{name}" in page.text
        assert client.get(f"/swagger/{name}").status_code == 200
    assert client.get("/").headers["Location"] == "/sign-in"
