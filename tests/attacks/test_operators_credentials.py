"""Attack 9: a profile uses the operator's own credentials only where an unbound admin allows it."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from local.sandbox.process import SandboxProcess, start_sandbox
from local.valkey import Valkey
from shared.crypto import SecretBox
from shared.errors import SettingsUnusable
from shared.models import Profile
from shared.profiles.publisher_cache import PublisherFactory
from tests.servers.api import Api, Reply
from tests.servers.settings import make_settings
from tests.timing.sandbox_timings import QUICK

OPERATORS, OWN = "the-operators-key", "the-clients-key"
NULL = {"tts_settings": {"postiz": None}}


@pytest.fixture(scope="module")
def postiz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    folder = tmp_path_factory.mktemp("operators-postiz")
    with start_sandbox(folder, timing=QUICK, seed=[]) as running:
        for org, key in (("operator", OPERATORS), ("client", OWN)):
            channel = {"id": f"int-{org}", "name": org, "identifier": "mastodon"}
            running.admin.create_org(org, keys=[key], integrations=[channel])
        yield running


@pytest.fixture(scope="module")
def installation(
    module_database_url: str,
    valkey_server: Valkey,
    postiz: SandboxProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Api]:
    environ = {"POSTIZ_API_URL": postiz.api_url, "POSTIZ_API_KEY": OPERATORS}
    home = tmp_path_factory.mktemp("operators")
    api = Api(make_settings(module_database_url, home, REDIS_URL=valkey_server.url(), **environ))
    yield api
    api.close()


@pytest.fixture
def api(installation: Api, postiz: SandboxProcess) -> Api:
    """With a profile `acme` that has credentials of its own."""
    installation.empty()
    body = {"id": "acme", "name": "Acme", **own(postiz)}
    assert installation.post("/profiles", body).status_code == 201
    return installation


def own(postiz: SandboxProcess) -> dict[str, Any]:
    return {"tts_settings": {"postiz": {"api_url": postiz.api_url, "api_key": OWN}}}


def patch(api: Api, body: dict[str, Any], **more: Any) -> Reply:
    return api.call("PATCH", "/profiles/acme", json=body, **more)


def source(api: Api) -> str:
    return str(api.get("/profiles/acme/credentials").json["source"])


def of_operator(postiz: SandboxProcess) -> int:
    """The calls that Postiz had with the operator's key."""
    return sum(call["org"] == "operator" for call in postiz.admin.ledger())


@pytest.mark.parametrize("bound", [True, False])
def test_attack_9_null_takes_nothing_that_was_not_granted(
    api: Api, postiz: SandboxProcess, bound: bool
) -> None:
    key = api.key("read", "settings", profiles=["acme"] if bound else None)
    before = of_operator(postiz)
    refused = patch(api, NULL, key=key)
    assert (refused.status_code, refused.json["code"]) == (403, "environment_not_allowed")
    assert source(api) == "profile"
    assert of_operator(postiz) == before


def test_nobody_grants_it_to_themselves(api: Api) -> None:
    admin_of_acme = api.key("admin", profiles=["acme"])
    for body in ({"environment_allowed": True}, {"environment_allowed": True, **NULL}):
        assert patch(api, body, key=admin_of_acme).status_code == 403
    shown = patch(api, {"environment_allowed": False, "name": "N"}, key=admin_of_acme)
    assert (shown.status_code, shown.json["environment_allowed"]) == (200, False)
    assert api.post("/profiles", {"name": "N"}, key=admin_of_acme).status_code == 403


def test_without_a_grant_nothing_is_configured_and_nothing_is_called(
    api: Api, postiz: SandboxProcess
) -> None:
    with api.services.database.transaction() as session:
        session.execute(update(Profile).values(tts_settings={}, account_id=None, key_hash=None))
    before = of_operator(postiz)
    key = api.key("read", "settings", "publish", profiles=["acme"])
    assert source(api) == "none"
    assert "the-o" not in api.get("/profiles/acme/credentials", key=key).text
    assert api.get("/postiz/status", key=key).json["configured"] is False
    post = {"caption": "hi", "integration_ids": ["int-operator"]}
    for path, body in (
        ("/postiz/publish", post),
        ("/postiz/bulk-publish?dry_run=true", {"items": [post]}),
        ("/postiz/upload", {"url": "http://127.0.0.1:9/a.png"}),
        ("/profiles/acme/validate", {}),
        ("/profiles/acme/validate", {"api_key": "a-key-for-the-operators-url"}),
    ):
        refused = api.post(path, body, key=key)
        assert (refused.status_code, refused.json["code"]) == (400, "not_configured"), path
    services = api.services
    box = SecretBox.from_settings(services.settings)
    build = PublisherFactory(services.database, services.settings, box)
    with pytest.raises(SettingsUnusable):  # what a worker meets
        build("acme")
    assert of_operator(postiz) == before


def test_a_grant_lasts_until_an_admin_ends_it(api: Api, postiz: SandboxProcess) -> None:
    key = api.key("read", "settings", profiles=["acme"])
    assert patch(api, {"environment_allowed": True}).json["environment_allowed"] is True
    assert source(api) == "profile"
    calls = of_operator(postiz)
    assert patch(api, NULL, key=key).status_code == 200
    assert source(api) == "environment"
    assert of_operator(postiz) > calls
    assert patch(api, own(postiz), key=key).status_code == 200
    assert patch(api, NULL, key=key).status_code == 200
    before = api.services.publishers.get("acme", 0)
    ended = patch(api, {"environment_allowed": False}).json
    assert (source(api), ended["account_id"]) == ("none", None)
    assert not before.is_current


def test_an_admin_s_own_acts_say_whether_it_may(api: Api, postiz: SandboxProcess) -> None:
    made = api.post("/profiles", {"id": "plain", "name": "P"}).json
    assert made["environment_allowed"] is True
    kept_out = api.post("/profiles", {"name": "P", "environment_allowed": False}).json
    status = api.get("/postiz/status", profile=kept_out["id"]).json
    assert (kept_out["environment_allowed"], status["source"]) == (False, "none")
    assert patch(api, NULL).json["environment_allowed"] is True
    assert source(api) == "environment"
    assert patch(api, own(postiz)).json["environment_allowed"] is False
