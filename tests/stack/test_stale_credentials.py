"""Promise 3 on the whole stack: 200 rotations of a key while four worker children publish."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from local.sandbox.process import SandboxProcess, start_sandbox
from shared.profiles.invalidation import LISTENER
from tests.scenarios import rotation
from tests.servers.stacks import RunningStack
from tests.timing import delays
from tests.timing.patience import wait_until
from tests.timing.sandbox_timings import steady_timing

pytestmark = pytest.mark.alone

ROTATIONS = 200
POSTS = 400


#: The rotations are what is tested here, and not Postiz's own slowness.
QUICK = steady_timing(
    send_delay=0.1, queue_to_start=0.01, publish_delay=0.05, search_rate=1000, element_delay=0.001
)


class Client:
    """The profile `rotating` of a running stack."""

    def __init__(self, stack: RunningStack, sandbox: SandboxProcess) -> None:
        facts = stack.facts()
        self.url = f"{facts['web_url']}/api/v1"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {facts['admin_key']}"
        self.session.headers["X-Profile-Id"] = "rotating"
        self.api_url = sandbox.api_url
        self.sandbox = sandbox.admin

    def call(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.session.request(method, self.url + path, json=body, timeout=120)
        assert reply.ok, reply.text
        return reply.json()

    def patch(self, key: str) -> None:
        postiz = {"api_url": self.api_url, "api_key": key}
        self.call("PATCH", "/profiles/rotating", {"tts_settings": {"postiz": postiz}})


@pytest.fixture(scope="module")
def busy_stack(
    start_stack: Callable[..., RunningStack], tmp_path_factory: pytest.TempPathFactory
) -> RunningStack:
    home: Path = tmp_path_factory.mktemp("rotating") / "home"
    settings = {"PRESSROOM_CONCURRENCY": "4", "PRESSROOM_WRITES_PER_SECOND": "25"}
    return start_stack(home, PRESSROOM_SANDBOX="0", **settings)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path, timing=QUICK, seed=[]) as running:
        yield running


@contextmanager
def listeners_cut(redis_url: str) -> Iterator[None]:
    """Cut the connections of all listeners, again and again: what is broadcast is lost."""
    over = threading.Event()

    def cut() -> None:
        with redis.Redis.from_url(redis_url) as valkey:
            while not over.wait(0.02):
                for row in valkey.client_list(_type="pubsub"):
                    if row["name"] == LISTENER:
                        valkey.client_kill_filter(_id=row["id"])

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture(params=["messages heard", "listeners cut"])
def client(
    request: pytest.FixtureRequest, busy_stack: RunningStack, sandbox: SandboxProcess
) -> Iterator[Client]:
    if request.param == "messages heard":
        yield Client(busy_stack, sandbox)
        return
    with listeners_cut(busy_stack.facts()["redis_url"]):
        yield Client(busy_stack, sandbox)


def test_no_call_carries_a_replaced_key(client: Client) -> None:
    sandbox = client.sandbox
    made = rotation.open_org(sandbox, ROTATIONS)
    if not any(row["id"] == "rotating" for row in client.call("GET", "/profiles")["items"]):
        client.call("POST", "/profiles", {"id": "rotating", "name": "Rotating"})
    client.patch(made[0])
    items = [{"caption": f"clip {number}"} for number in range(POSTS)]
    bulk = {"items": items, "integration_ids": ["int-rotating"], "schedule_interval_minutes": 0}
    job = client.call("POST", "/postiz/bulk-publish", bulk)["job"]["id"]
    with delays.measured(sandbox, client.api_url) as delay:
        saved = rotation.rotate(client.patch, made, pause=0.05)
    stale = rotation.stale_calls(sandbox, saved, delay=delay())
    assert stale == []
    assert len(rotation.keys_used(sandbox)) > 20
    wait_until(lambda: client.call("GET", f"/jobs/{job}")["counts"] == {"published": POSTS})
    contents = [send["content"] for send in sandbox.sends()]
    assert sorted(contents) == sorted(item["caption"] for item in items)
