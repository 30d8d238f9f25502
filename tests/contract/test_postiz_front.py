"""The front answers the recorded exchanges as Postiz did, but for what it does on purpose."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.sandbox.process import SandboxProcess, start_sandbox
from local.valkey import Valkey
from tests.scenarios.exchanges import (
    EXCHANGES,
    KEYS,
    ORGS,
    Exchange,
    Replay,
    compare_body,
    serving_files,
)
from tests.servers.web_server import Server, serving
from tests.timing.sandbox_timings import steady_timing

#: Its profile has the name of the customer that the recorded server knows.
PROFILES = {"main": "cust-acme", "other": "other", "limited": "limited", "limited-other": "none"}
#: What the front answers in another way on purpose; docs/POSTIZ_CLIENTS.md says why.
DIFFERENT = {"bearer", "ufu-fetchfail", "post-disabled", "e-xnosettings", "e-imgbogus"}
#: Postiz's status and shape, with other values: the customer is the profile, and so on.
OTHER_VALUES = {
    "integrations",
    "integrations-group",
    "get-posts-dec",
    "get-posts-exact",
    "get-posts-offset",
}
#: Postiz's hourly limit, which its clients do not meet here.
WITHOUT_LIMIT = {"lim-4", "lim-5"}
PAGE = Path(__file__).parents[2] / "docs" / "POSTIZ_CLIENTS.md"
RATE_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@pytest.fixture(scope="module")
def replay(
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[str, bytes],
    module_database_url: str,
    valkey_server: Valkey,
) -> Iterator[Replay]:
    folder = tmp_path_factory.mktemp("front")
    (folder / "private").mkdir()
    sandbox = start_sandbox(folder / "postiz", timing=steady_timing(), seed=ORGS)
    with sandbox, serving_files(files) as file_server:
        allowed = {"PRESSROOM_ALLOWED_HOSTS": sandbox.api_url.split("/")[2]}
        private = {"PRESSROOM_ALLOW_PRIVATE_URLS": "1"}
        with (
            serving(module_database_url, valkey_server.url(), folder, **allowed) as usual,
            serving(module_database_url, valkey_server.url(), folder / "private", **private) as own,
        ):
            addresses = {
                "usual": f"http://127.0.0.1:{usual.port}/public/v1",
                "private": f"http://127.0.0.1:{own.port}/api/public/v1",
            }
            keys = {name: make_key(usual, sandbox, name) for name in PROFILES}
            replayed = Replay(addresses, keys, files, file_server)
            replayed.sandbox = sandbox
            for exchange in EXCHANGES:
                replayed.send(exchange)
            yield replayed


def make_key(server: Server, sandbox: SandboxProcess, name: str) -> str:
    credentials = {"api_url": sandbox.api_url, "api_key": KEYS[name]}
    profile = {"id": PROFILES[name], "name": "Acme", "tts_settings": {"postiz": credentials}}
    made = server.post("/profiles", json=profile)
    assert made.json()["postiz_check"]["ok"], made.text
    scopes = ["read", "publish"]
    body = {"name": name, "scopes": scopes, "profile_ids": [PROFILES[name]]}
    return str(server.post("/keys", json=body).json()["key"])


def is_as_recorded(replay: Replay, exchange: Exchange) -> bool:
    answer = replay.answers[exchange["name"]]
    counted = [name in answer.headers for name in RATE_HEADERS]
    try:
        assert answer.status_code == exchange["status"]
        assert counted == [name in exchange["reply_headers"] for name in RATE_HEADERS]
        compare_body(answer.json(), replay.fill(exchange["reply"]), exchange["match"])
    except AssertionError:
        return False
    return True


def test_it_answers_as_postiz_does_but_for_what_is_listed(replay: Replay) -> None:
    found = {each["name"] for each in EXCHANGES if not is_as_recorded(replay, each)}
    assert found == DIFFERENT | OTHER_VALUES | WITHOUT_LIMIT
    assert len(DIFFERENT) <= 0.05 * (len(EXCHANGES) - len(WITHOUT_LIMIT))
    page = PAGE.read_text()
    assert not [name for name in found if f"`{name}`" not in page]
    for answer in replay.answers.values():
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


def test_other_values_have_the_same_shape(replay: Replay) -> None:
    for exchange in EXCHANGES:
        if exchange["name"] in OTHER_VALUES:
            answer = replay.answers[exchange["name"]]
            assert answer.status_code == exchange["status"]
            assert rows_shape(answer.json()) == rows_shape(exchange["reply"])


def rows_shape(body: Any) -> object:
    """The names in its rows; a customer is one that a channel may have."""
    rows = body["posts"] if isinstance(body, dict) else body
    return type(body), {name for row in rows for name in row}
