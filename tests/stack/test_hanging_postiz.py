"""A Postiz that hangs on every call costs its own accounts, and nobody else."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.sandbox.process import SandboxProcess, start_sandbox
from tests.servers.stacks import RunningStack
from tests.timing.patience import wait_until
from tests.timing.sandbox_timings import QUICK

CALL_SECONDS = 5
LEASE_SECONDS = 2 * CALL_SECONDS
POSTS = 20
CHANNEL = {"id": "int-one", "name": "One", "identifier": "mastodon"}


@pytest.fixture(scope="module")
def sandboxes(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[SandboxProcess, SandboxProcess]]:
    folder = tmp_path_factory.mktemp("sandboxes")
    with (
        start_sandbox(folder / "good", timing=QUICK, seed=[]) as good,
        start_sandbox(folder / "hanging", timing=QUICK, seed=[]) as hanging,
    ):
        for sandbox in (good, hanging):
            sandbox.admin.create_org("org", keys=["key"], integrations=[CHANNEL])
        yield good, hanging


@pytest.fixture(scope="module")
def stack(
    start_stack: Callable[..., RunningStack], tmp_path_factory: pytest.TempPathFactory
) -> RunningStack:
    home: Path = tmp_path_factory.mktemp("hanging") / "home"
    seconds = {"PRESSROOM_CALL_TIMEOUT_SECONDS": str(CALL_SECONDS)}
    return start_stack(home, PRESSROOM_SANDBOX="0", **seconds)


def call(stack: RunningStack, profile: str, method: str, path: str, body: Any = None) -> Any:
    facts = stack.facts()
    headers = {"Authorization": f"Bearer {facts['admin_key']}", "X-Profile-Id": profile}
    url = f"{facts['web_url']}/api/v1{path}"
    reply = requests.request(method, url, json=body, headers=headers, timeout=120)
    assert reply.ok, reply.text
    return reply.json()


def test_a_hanging_postiz_delays_no_other_account(
    stack: RunningStack, sandboxes: tuple[SandboxProcess, SandboxProcess]
) -> None:
    good, hanging = sandboxes
    for name, sandbox in (("good", good), ("hung", hanging)):
        postiz = {"api_url": sandbox.api_url, "api_key": "key"}
        body = {"id": name, "name": name, "tts_settings": {"postiz": postiz}}
        call(stack, name, "POST", "/profiles", body)
    hanging.admin.add_fault("hang")
    items = [{"caption": f"post {number}"} for number in range(POSTS)]
    bulk = {"items": items, "integration_ids": ["int-one"], "schedule_interval_minutes": 0}
    hung = call(stack, "hung", "POST", "/postiz/bulk-publish", bulk)["job"]["id"]
    bulk["schedule_interval_minutes"] = 1 / 60  # one a second, while the other hangs
    job = call(stack, "good", "POST", "/postiz/bulk-publish", bulk)["job"]["id"]
    leases = []

    def published() -> bool:
        leases.append(stack.longest_lease())
        counts = call(stack, "good", "GET", f"/jobs/{job}")["counts"]
        return bool(counts == {"published": POSTS})

    wait_until(published)
    assert max(leases) <= LEASE_SECONDS
    posts = call(stack, "hung", "GET", f"/jobs/{hung}/posts")["items"]
    assert {post["state"] for post in posts} <= {"pending", "staging"}
    assert all(post["attempts"] <= 1 for post in posts)  # an outage wastes none
    hanging.admin.clear_faults()
    wait_until(
        lambda: call(stack, "hung", "GET", f"/jobs/{hung}")["counts"] == {"published": POSTS}
    )
    assert sorted(send["content"] for send in hanging.admin.sends()) == sorted(
        item["caption"] for item in items
    )
