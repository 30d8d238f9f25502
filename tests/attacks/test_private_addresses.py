"""Attack 2: nobody reaches the private network, by a trick or by what was saved.

A server that must never be called listens on this machine. Allowed are a sandbox Postiz, and a lure
that sends whoever calls it to that server.
"""

import itertools
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import requests

from local.sandbox.process import SandboxProcess, start_sandbox
from tests.factories.files import FILES
from tests.servers.connect_proxy import Listener
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE, wait_until
from tests.timing.sandbox_timings import QUICK

CHANNEL = {"id": "int-one", "name": "One", "identifier": "mastodon"}
CODES = {"private_address", "unresolved_host", "malformed_address", "invalid_request"}
_SHADES = itertools.count(1)
#: Forms of this machine, for programs that read hosts less strictly.
FORMS = [
    *("127.0.0.1", "127.0.0.1.", "localhost", "LOCALHOST.", "0.0.0.0", "127.0.0.2", "127.1"),
    *("2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.0x1"),
    *("127.0.0.%31", "%31%32%37.0.0.1", "localhos%74", "127.0.0.1%00.example"),
    *("127\u30020\u30020\u30021", "\uff11\uff12\uff17.0.0.1", "\u24db\u24de\u24d2alhost"),
    *("[::1]", "[::]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fec0::1]", "[::1%25lo]"),
    *("a.example@127.0.0.1", "127.0.0.1\\@a.example", "127.0.0.1#@a.example", "a..b"),
]


class Visited(Listener):
    """Notes the first bytes of whoever comes, and answers `reply` if there is one."""

    def __init__(self, reply: bytes = b"") -> None:
        self.visits: list[bytes] = []
        self.reply = reply
        super().__init__()

    def serve(self, client: socket.socket) -> None:
        client.settimeout(5)
        self.visits.append(client.recv(65536))
        client.sendall(self.reply)


@pytest.fixture(scope="module")
def private() -> Iterator[Visited]:
    with Visited() as server:
        yield server


@pytest.fixture(autouse=True)
def never_called(private: Visited) -> Iterator[None]:
    yield
    assert private.visits == []


@pytest.fixture(scope="module")
def lure(private: Visited) -> Iterator[Visited]:
    location = f"http://127.0.0.1:{private.port}/secret"
    head = f"HTTP/1.1 307 Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    with Visited(head.encode()) as server:
        yield server


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("sandbox"), timing=QUICK, seed=[]) as running:
        running.admin.create_org("org", keys=["key"], integrations=[CHANNEL])
        yield running


@pytest.fixture(scope="module")
def stack(
    start_stack: Callable[..., RunningStack],
    tmp_path_factory: pytest.TempPathFactory,
    sandbox: SandboxProcess,
    lure: Visited,
) -> RunningStack:
    allowed = f"{sandbox.url.removeprefix('http://')},127.0.0.1:{lure.port}"
    home = tmp_path_factory.mktemp("attacks") / "home"
    started = start_stack(home, PRESSROOM_SANDBOX="0", PRESSROOM_ALLOWED_HOSTS=allowed)
    postiz = {"api_url": sandbox.api_url, "api_key": "key"}
    body = {"id": "acme", "name": "A", "tts_settings": {"postiz": postiz}}
    made = call(started, "POST", "/profiles", json=body)
    assert made.json()["postiz_check"]["ok"], made.text
    return started


def call(stack: RunningStack, method: str, path: str, **more: Any) -> requests.Response:
    facts = stack.facts()
    headers = {"Authorization": f"Bearer {facts['admin_key']}", "X-Profile-Id": "acme"}
    url = f"{facts['web_url']}/api/v1{path}"
    return requests.request(method, url, headers=headers, timeout=PATIENCE, **more)


def execute(stack: RunningStack, statement: str, *values: object) -> None:
    """As an older version may have saved it."""
    url = stack.facts()["database_url"]
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount == 1


@pytest.mark.parametrize("host", FORMS)
def test_no_form_of_a_private_address_is_accepted_anywhere(
    stack: RunningStack, private: Visited, host: str
) -> None:
    url = f"http://{host}:{private.port}/public/v1"
    postiz = {"api_url": url, "api_key": "a-long-enough-key"}
    profile = {"name": "B", "tts_settings": {"postiz": postiz}}
    replies = [
        call(stack, "POST", "/profiles", json=profile),
        call(stack, "PATCH", "/profiles/acme", json={"tts_settings": {"postiz": postiz}}),
        call(stack, "POST", "/profiles/acme/validate", json=postiz),
        call(stack, "POST", "/webhooks", json={"url": url, "events": ["post.failed"]}),
        call(stack, "POST", "/postiz/upload", json={"url": url}),
    ]
    for reply in replies:
        assert reply.status_code == 400, (host, reply.text)
        assert reply.json()["code"] in CODES
    many = call(stack, "POST", "/postiz/bulk-upload", json={"items": [{"url": url}]})
    assert many.status_code == 422, many.text
    assert [fault["code"] in CODES for fault in many.json()["errors"]] == [True]


def test_an_allowed_host_leads_nobody_to_a_private_one(stack: RunningStack, lure: Visited) -> None:
    url = f"http://127.0.0.1:{lure.port}"
    postiz = {"api_url": url, "api_key": "a-long-enough-key"}
    tried = call(stack, "POST", "/profiles/acme/validate", json=postiz)
    assert (tried.status_code, tried.json()["ok"]) == (200, False), tried.text
    job = call(stack, "POST", "/postiz/upload", json={"url": f"{url}/a.png"}).json()["job"]
    wait_until(lambda: job_is_over(stack, job["id"]))
    hook = call(stack, "POST", "/webhooks", json={"url": f"{url}/h", "events": ["job.completed"]})
    complete_a_job(stack)
    wait_until(lambda: bool(attempts(stack, hook.json()["id"])))
    assert attempts(stack, hook.json()["id"])[0]["status"] == 307
    methods = {visit.split(b" ", 1)[0] for visit in lure.visits}
    assert methods == {b"GET", b"POST"}, "each of them was called"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.%31"])
def test_what_was_saved_before_is_checked_at_each_call(
    stack: RunningStack, sandbox: SandboxProcess, lure: Visited, private: Visited, host: str
) -> None:
    url = f"http://{host}:{private.port}"
    hook = call(
        stack,
        "POST",
        "/webhooks",
        json={"url": f"http://127.0.0.1:{lure.port}/h", "events": ["job.completed"]},
    ).json()["id"]
    execute(stack, "UPDATE webhooks SET url = %s WHERE id = %s", f"{url}/h", hook)
    complete_a_job(stack)
    wait_until(lambda: bool(attempts(stack, hook)))
    [tried] = attempts(stack, hook)
    assert "address" in tried["error"], tried

    call(stack, "POST", "/profiles/acme/pause")
    address = {"url": f"http://127.0.0.1:{lure.port}/b.png"}
    accepted = call(stack, "POST", "/postiz/upload", json=address).json()
    medium = accepted["media"]["id"]
    execute(stack, "UPDATE media SET source_url = %s WHERE id = %s", f"{url}/b.png", medium)
    call(stack, "POST", "/profiles/acme/resume")
    wait_until(lambda: job_is_over(stack, accepted["job"]["id"]))

    account = call(stack, "GET", "/profiles/acme").json()["account_id"]
    path = "UPDATE accounts SET base_url = %s WHERE id = %s"
    execute(stack, path, f"{url}/public/v1", account)
    status = call(stack, "GET", "/postiz/status").json()
    assert status["connected"] is False, status
    execute(stack, path, sandbox.api_url, account)
    wait_until(lambda: call(stack, "GET", "/postiz/status").json()["connected"])


def complete_a_job(stack: RunningStack) -> None:
    """Upload a file to the Postiz that is allowed."""
    file = {"file": ("a.png", FILES.png(next(_SHADES)))}
    job = call(stack, "POST", "/postiz/upload", files=file).json()["job"]
    wait_until(lambda: job_is_over(stack, job["id"]))
    assert call(stack, "GET", f"/jobs/{job['id']}").json()["state"] == "completed"


def job_is_over(stack: RunningStack, job_id: str) -> bool:
    return call(stack, "GET", f"/jobs/{job_id}").json()["state"] not in {"queued", "running"}


def attempts(stack: RunningStack, webhook_id: str) -> list[dict[str, Any]]:
    """Of the last delivery."""
    listed = call(stack, "GET", f"/webhooks/{webhook_id}/deliveries").json()["items"]
    found: list[dict[str, Any]] = listed[0]["tried"] if listed else []
    return found
