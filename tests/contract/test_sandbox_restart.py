"""The sandbox's state survives its death, and what was running runs again, once."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.sandbox.process import SandboxProcess, start_sandbox, wait_for
from tests.contract.conftest import Caller
from tests.timing.sandbox_timings import steady_timing

PAST = "2026-11-01T10:00:00.417Z"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    timing = steady_timing(send_delay=1.5, publish_delay=0.1, search_rate=1000)
    with start_sandbox(tmp_path, timing=timing) as running:
        yield running


def test_released_post_is_published_after_a_kill(sandbox: SandboxProcess) -> None:
    who = Caller(sandbox, "sandbox-demo-key")
    post = who.draft(date=PAST)
    who.release(post)
    sandbox.kill()
    sandbox.restart()
    wait_for(lambda: [each["state"] for each in sandbox.admin.posts()] == ["PUBLISHED"])
    assert [send["post"] for send in sandbox.admin.sends()] == [post]


def test_scheduled_post_keeps_its_date_over_a_restart(sandbox: SandboxProcess) -> None:
    who = Caller(sandbox, "sandbox-demo-key")
    soon = time.strftime("%Y-%m-%dT%H:%M:%S.500Z", time.gmtime(time.time() + 5))
    who.create(kind="schedule", date=soon)
    wait_for(lambda: sandbox.admin.stats()["workflows"]["running"] == 1)
    sandbox.stop()
    sandbox.restart()
    wait_for(lambda: [each["state"] for each in sandbox.admin.posts()] == ["PUBLISHED"])
    assert len(sandbox.admin.sends()) == 1


def test_everything_else_is_still_there(sandbox: SandboxProcess) -> None:
    who = Caller(sandbox, "sandbox-demo-key")
    who.draft(date=PAST)
    sandbox.admin.add_fault("error_500_before", route="GET /integrations", times=3)
    before = (sandbox.admin.posts(), sandbox.admin.faults(), sandbox.admin.ledger())
    url = sandbox.url
    sandbox.kill()
    sandbox.restart()
    assert sandbox.url == url
    assert (sandbox.admin.posts(), sandbox.admin.faults(), sandbox.admin.ledger()) == before
    (demo, _) = sandbox.admin.stats()["orgs"]
    assert (demo["used"], demo["remaining"]) == (1, 29)
    assert who.create(date=PAST).headers["X-RateLimit-Remaining"] == "28"
