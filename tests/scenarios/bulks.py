"""Bulks through a running stack and stand-in Postizes, and how late what came of them was."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from local.sandbox.process import SandboxProcess, start_sandbox
from tests.servers.stacks import RunningStack
from tests.timing.sandbox_timings import steady_timing

#: A real server's delays, without Temporal's limit on searches: what is measured is ours.
UNTHROTTLED = steady_timing(search_rate=1000, search_burst=1000)
#: As a user has it: 300 posts take a real server 3.4 s to create, and a busy machine longer.
CALL_TIMEOUT = "20"
CHANNELS = [
    {"id": f"int-{name}", "name": name, "identifier": "mastodon"} for name in ("one", "two")
]


@dataclass(frozen=True, kw_only=True)
class Press:
    """A stack, and a stand-in Postiz of its own for each profile, called as the profile is."""

    stack: RunningStack
    sandboxes: dict[str, SandboxProcess]

    def call(self, profile: str, method: str, path: str, body: Any = None) -> Any:
        facts = self.stack.facts()
        headers = {"Authorization": f"Bearer {facts['admin_key']}", "X-Profile-Id": profile}
        url = f"{facts['web_url']}/api/v1{path}"
        reply = requests.request(method, url, json=body, headers=headers, timeout=120)
        assert reply.ok, reply.text
        return reply.json()

    def bulk(
        self, profile: str, times: Sequence[datetime], *, query: str = "", **fields: Any
    ) -> Any:
        """A post for each of `times` and each integration: the job's id, or the plan."""
        items = [
            {"caption": f"{profile} {number}", "schedule_date": moment.isoformat()}
            for number, moment in enumerate(times)
        ]
        body = {"items": items, "integration_ids": ["int-one"], **fields}
        return self.call(profile, "POST", f"/postiz/bulk-publish{query}", body)

    def wait_until_published(self, profile: str, job: str, *, seconds: float = 600) -> None:
        deadline = time.monotonic() + seconds
        while set(counts := self.counts(profile, job)) != {"published"}:
            assert time.monotonic() < deadline, counts
            time.sleep(2)

    def counts(self, profile: str, job: str) -> dict[str, int]:
        counts: dict[str, int] = self.call(profile, "GET", f"/jobs/{job}")["counts"]
        return counts

    def posts(self, profile: str, job: str) -> Iterator[dict[str, Any]]:
        cursor = ""
        while cursor is not None:
            page = self.call(profile, "GET", f"/jobs/{job}/posts?limit=1000{cursor}")
            yield from page["items"]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"

    def lateness(self, profile: str, job: str) -> list[float]:
        """Seconds from each post's time to its status change at its Postiz, the least first."""
        changed = {
            entry["path"].split("/")[-2]: entry["time"]
            for entry in self.sandboxes[profile].admin.ledger(kind="request")
            if entry["method"] == "PUT" and entry["path"].endswith("/status")
        }
        return sorted(
            changed[post["postiz_post_id"]] - datetime.fromisoformat(post["publish_at"]).timestamp()
            for post in self.posts(profile, job)
        )

    def counted_calls(self, profile: str) -> list[dict[str, Any]]:
        return [
            entry
            for entry in self.sandboxes[profile].admin.ledger(kind="request")
            if entry["method"] == "POST" and entry["path"].endswith("/posts")
        ]


def percentile(values: Sequence[float], share: float) -> float:
    """Of sorted `values`."""
    return values[min(len(values) - 1, int(share * len(values)))]


def spread(count: int, *, first_in: float, seconds: float) -> list[datetime]:
    """`count` distinct times, evenly over so many seconds."""
    start = datetime.now(UTC) + timedelta(seconds=first_in)
    return [start + timedelta(seconds=seconds * number / count) for number in range(count)]


@contextmanager
def press(folder: Path, profiles: Sequence[str], **settings: str) -> Iterator[Press]:
    """A stack with a profile and a Postiz for each of `profiles`."""
    with ExitStack() as open_ones:
        sandboxes = {}
        for name in profiles:
            started = start_sandbox(folder / name, timing=UNTHROTTLED, seed=[])
            sandboxes[name] = open_ones.enter_context(started)
            sandboxes[name].admin.create_org("org", keys=[f"key-{name}"], integrations=CHANNELS)
        environ = {"PRESSROOM_CALL_TIMEOUT_SECONDS": CALL_TIMEOUT, **settings}
        stack = RunningStack(folder / "home", PRESSROOM_SANDBOX="0", **environ)
        one = Press(stack=open_ones.enter_context(stack), sandboxes=sandboxes)
        for name, sandbox in sandboxes.items():
            postiz = {"api_url": sandbox.api_url, "api_key": f"key-{name}"}
            body = {"id": name, "name": name, "tts_settings": {"postiz": postiz}}
            one.call(name, "POST", "/profiles", body)
        yield one
