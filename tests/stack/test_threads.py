"""Threads through the whole stack: each part goes out once, in order, and after its delay."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.sandbox.process import SandboxProcess, start_sandbox
from tests.scenarios.bulks import CHANNELS, Press
from tests.servers.stacks import RunningStack
from tests.timing.patience import wait_until
from tests.timing.sandbox_timings import steady_timing

KEY = "key-of-threads"
MINUTE = 1.0


@pytest.fixture
def press(stack: RunningStack, tmp_path: Path) -> Iterator[Press]:
    """The profile `threads`, whose Postiz waits a second for each minute of a delay."""
    with start_sandbox(tmp_path, timing=steady_timing(part_minute=MINUTE), seed=[]) as sandbox:
        sandbox.admin.create_org("threads", keys=[KEY], integrations=CHANNELS)
        made = Press(stack=stack, sandboxes={"threads": sandbox})
        postiz = {"api_url": sandbox.api_url, "api_key": KEY}
        body = {"id": "threads", "name": "T", "tts_settings": {"postiz": postiz}}
        made.call("threads", "POST", "/profiles", body)
        yield made


def sent(sandbox: SandboxProcess) -> dict[str, list[str]]:
    """By channel, in the order in which it went out."""
    rows = [*sandbox.admin.sends(), *sandbox.admin.parts()]
    found: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: row["seq"]):
        found.setdefault(row["integration"], []).append(row["content"])
    return found


def test_a_thread_of_three_and_a_first_comment_go_out_once_and_in_order(press: Press) -> None:
    sandbox = press.sandboxes["threads"]
    thread = [{"caption": "two"}, {"caption": "three", "delay_minutes": 2}]
    items: list[dict[str, Any]] = [
        {"caption": "one", "integration_ids": ["int-one"], "thread": thread},
        {"caption": "a post", "integration_ids": ["int-two"], "first_comment": "the link"},
    ]
    body = {"items": items, "schedule_interval_minutes": 0}
    job = press.call("threads", "POST", "/postiz/bulk-publish", body)["job"]["id"]
    expected = {"int-one": ["one", "two", "three"], "int-two": ["a post", "the link"]}
    wait_until(lambda: len(sandbox.admin.parts()) == 3, lambda: str(sent(sandbox)))
    assert sent(sandbox) == expected
    two, three = (
        part["time"] for part in sandbox.admin.parts() if part["integration"] == "int-one"
    )
    assert three - two >= 2 * MINUTE

    def followed() -> bool:
        return all(post["release_url"] for post in press.posts("threads", job))

    wait_until(followed, lambda: str(list(press.posts("threads", job))))
    for post in press.posts("threads", job):
        assert "first_part_published" in [event["event"] for event in post["timeline"]]
    assert sent(sandbox) == expected
