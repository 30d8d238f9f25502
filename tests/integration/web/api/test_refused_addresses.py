"""Addresses that may not be called are refused when they are given, wherever that is."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.sandbox.process import SandboxProcess
from local.valkey import Valkey
from tests.servers.api import Api, Reply
from tests.servers.settings import make_settings

KEY = "a-long-enough-key"
DEMO_KEY = "sandbox-demo-key"
#: By which name, and the code of the refusal.
REFUSED = [
    ("127.0.0.1", "private_address"),
    ("localhost", "private_address"),
    ("169.254.169.254", "private_address"),
    ("100.100.100.200", "private_address"),
    ("168.63.129.16", "private_address"),
    ("[::1]", "private_address"),
    ("[::ffff:169.254.169.254]", "private_address"),
    ("[64:ff9b::a9fe:a9fe]", "private_address"),
    ("[2002:7f00:1::]", "private_address"),
    ("[fec0::1]", "private_address"),
    ("[::127.0.0.1]", "private_address"),
    ("lost.example", "unresolved_host"),
]
MALFORMED = [
    "127.0.0.%31",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "127.1",
    "a..b",
    "a@127.0.0.1",
]


@pytest.fixture(scope="module")
def strict(
    module_database_url: str,
    valkey_server: Valkey,
    tmp_path_factory: pytest.TempPathFactory,
    api_sandbox: SandboxProcess,
) -> Iterator[Api]:
    """Only the sandbox is allowed besides public addresses; `lost.example` does not resolve."""
    real = socket.getaddrinfo

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        if host == "lost.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *rest, **more)

    api_sandbox.admin.clear_faults()
    api_sandbox.admin.reset()
    rules = {
        "PRESSROOM_ALLOW_PRIVATE_URLS": "0",
        "PRESSROOM_ALLOWED_HOSTS": api_sandbox.url.removeprefix("http://"),
    }
    home = tmp_path_factory.mktemp("strict")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", look_up)
        api = Api(make_settings(module_database_url, home, REDIS_URL=valkey_server.url(), **rules))
        postiz = own(api_sandbox.api_url, DEMO_KEY)
        made = api.post("/profiles", {"id": "acme", "name": "A", **postiz})
        assert made.status_code == 201, made.text
        assert made.json["postiz_check"]["ok"], "what the operator allows is called"
        yield api
        api.close()


def own(api_url: str, api_key: str = KEY) -> dict[str, Any]:
    return {"tts_settings": {"postiz": {"api_url": api_url, "api_key": api_key}}}


def give_everywhere(api: Api, host: str) -> dict[str, Reply]:
    """The replies, by the field that has the address."""
    url = f"http://{host}/x"
    hook = {"url": url, "events": ["post.failed"]}
    return {
        "POST tts_settings.postiz.api_url": api.post("/profiles", {"name": "B", **own(url)}),
        "PATCH tts_settings.postiz.api_url": api.call("PATCH", "/profiles/acme", json=own(url)),
        "POST url": api.post("/webhooks", hook),
        "upload url": api.post("/postiz/upload", {"url": url}, profile="acme"),
    }


@pytest.mark.parametrize(("host", "code"), REFUSED)
def test_an_address_that_may_not_be_called_is_refused_wherever_it_is_given(
    strict: Api, host: str, code: str
) -> None:
    before = strict.rows()
    for place, reply in give_everywhere(strict, host).items():
        assert (reply.status_code, reply.json["code"]) == (400, code), (place, reply.text)
        [fault] = reply.json["errors"]
        assert (fault["field"], fault["code"]) == (place.split()[1], code)
    tried = strict.post("/profiles/acme/validate", {"api_url": f"http://{host}/x", "api_key": KEY})
    assert (tried.status_code, tried.json["code"]) == (400, code), tried.text
    items = {"items": [{"url": f"http://{host}/x"}, {"url": "http://93.184.216.34/a.png"}]}
    many = strict.post("/postiz/bulk-upload", items, profile="acme").json["items"]
    assert [(row["ok"], (row.get("error") or {}).get("code")) for row in many] == [
        (False, code),
        (True, None),
    ]
    after = strict.rows()
    assert {name for name, count in after.items() if count != before[name]} <= {
        *("account_media", "jobs", "job_media", "media", "events"),  # of the row that was good
        "audit_entries",
    }


@pytest.mark.parametrize("host", MALFORMED)
def test_a_host_in_another_form_is_no_address_anywhere(strict: Api, host: str) -> None:
    before = strict.rows()
    for place, reply in give_everywhere(strict, host).items():
        assert reply.status_code == 400, (place, reply.text)
        assert reply.mimetype == "application/problem+json"
        assert [fault["field"] for fault in reply.json["errors"]] == [place.split()[1]]
    assert strict.rows() == before


def test_a_name_that_does_not_resolve_is_no_postiz_where_everything_is_allowed_either(
    bare_api: Api,
) -> None:
    lost = own("https://lost.invalid")
    refused = bare_api.post("/profiles", {"name": "B", **lost})
    assert (refused.status_code, refused.json["code"]) == (400, "unresolved_host"), refused.text
    assert "lost.invalid does not resolve" in refused.json["detail"]
    assert bare_api.get("/profiles").json["items"] == []


def test_a_default_postiz_that_does_not_resolve_now_can_be_gone_back_to(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """It is not of the request, and may be back in a moment."""
    default = {"POSTIZ_API_URL": "https://lost.invalid", "POSTIZ_API_KEY": KEY}
    api = Api(make_settings(database_url, tmp_path, REDIS_URL=redis_url, **default))
    try:
        body = {"id": "acme", "name": "A", "tts_settings": {"postiz": None}}
        made = api.post("/profiles", body)
        assert made.status_code == 201, made.text
        assert made.json["postiz_check"]["ok"] is False
        assert "lost.invalid does not resolve" in made.json["postiz_check"]["detail"]
    finally:
        api.close()
