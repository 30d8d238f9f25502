"""Every request that three clients of Postiz can send, answered by a running front.

The clients are the n8n node (`gitroomhq/postiz-n8n` 0.2.17), `antoniolg/postiz-mcp` and
`solomonneas/postiz-mcp`. `client_requests.json` says for each request what comes back, how many
posts it makes (`made`), and what becomes of which posts (`then`): as our own API has them, and
`shown`, as the front lists them, null where it does not.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.sandbox.process import SandboxProcess, start_sandbox
from local.valkey import Valkey
from tests.scenarios.exchanges import KEYS, ORGS, Exchange, Replay, compare_body, serving_files
from tests.servers.web_server import HEADERS, Server, serving
from tests.timing.patience import PATIENCE
from tests.timing.sandbox_timings import steady_timing

CASES: list[Exchange] = json.loads(Path(__file__).with_name("client_requests.json").read_text())
PROFILE = "cust-acme"
WINDOW = {"startDate": "2001-01-01", "endDate": "2200-01-01"}


class Front:
    """A running front, and what it has made, as its owner sees it."""

    def __init__(self, server: Server, replay: Replay) -> None:
        self.replay = replay
        self._server = server

    def posts(self) -> dict[str, Any]:
        """By id."""
        headers = {**HEADERS, "X-Profile-Id": PROFILE}
        address = f"{self._server.url}/posts?limit=1000"
        found = requests.get(address, headers=headers, timeout=PATIENCE).json()
        return {post["id"]: post for post in found["items"]}

    def shown(self) -> dict[str, str]:
        """States by id, as the front lists them."""
        address = f"{self.replay.addresses['usual']}/public/v1/posts"
        headers = {"Authorization": self.replay.words["main"]}
        listed = requests.get(address, params=WINDOW, headers=headers, timeout=PATIENCE).json()
        return {post["id"]: post["state"] for post in listed["posts"]}


@pytest.fixture(scope="module")
def front(
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[str, bytes],
    module_database_url: str,
    valkey_server: Valkey,
) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("clients")
    private = {"PRESSROOM_ALLOW_PRIVATE_URLS": "1"}
    with (
        start_sandbox(folder / "postiz", timing=steady_timing(), seed=ORGS) as sandbox,
        serving_files(files) as file_server,
        serving(module_database_url, valkey_server.url(), folder, **private) as server,
    ):
        keys = {"main": make_key(server, sandbox)}
        addresses = {"usual": f"http://127.0.0.1:{server.port}"}
        yield Front(server, Replay(addresses, keys, files, file_server))


def make_key(server: Server, sandbox: SandboxProcess) -> str:
    postiz = {"api_url": sandbox.api_url, "api_key": KEYS["main"]}
    profile = {"id": PROFILE, "name": "Acme", "tts_settings": {"postiz": postiz}}
    made = server.post("/profiles", json=profile)
    assert made.json()["postiz_check"]["ok"], made.text
    body = {"name": "a client", "scopes": ["read", "publish"], "profile_ids": [PROFILE]}
    return str(server.post("/keys", json=body).json()["key"])


def test_every_request_of_the_clients_gets_its_answer_and_has_its_effect(front: Front) -> None:
    wrong = [fault for case in CASES for fault in faults_of(front, case)]
    assert not wrong, "\n".join(wrong)
    assert {case["client"] for case in CASES} == {"n8n", "antoniolg", "solomonneas"}


def faults_of(front: Front, case: Exchange) -> Iterator[str]:
    """In words. Later cases need what earlier ones have made, so one test sends all of them."""
    name, replay = case["name"], front.replay
    before = front.posts()
    replay.send(case)
    answer, after = replay.answers[name], front.posts()
    if answer.status_code != case["status"]:
        yield f"{name}: {answer.status_code} {answer.text}"
        return
    try:
        compare_body(answer.json(), replay.fill(case["reply"]), case["match"])
    except AssertionError as error:
        yield f"{name}: {answer.text} {error}"
    if len(after) != len(before) + case.get("made", 0):
        yield f"{name}: {len(after) - len(before)} posts made"
    told = replay.fill(case.get("then", []))
    shown = front.shown()
    for wanted in told:
        seen = describe(after[wanted["id"]], shown)
        if seen | wanted != seen:
            yield f"{name}: {seen} for {wanted}"
    others = set(before) - {wanted["id"] for wanted in told}
    yield from (f"{name}: changed {each}" for each in others if before[each] != after[each])


def describe(post: dict[str, Any], shown: dict[str, str]) -> dict[str, Any]:
    return {
        **{name: post[name] for name in ("id", "content", "state", "publish_at")},
        "media": len(post["media_ids"]),
        "thread": [part["content"] for part in post["thread"]],
        "shown": shown.get(post["id"]),
    }
