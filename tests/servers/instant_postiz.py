"""A stand-in Postiz that answers at once and publishes at once: what is measured beside it is ours.

`python -m tests.servers.instant_postiz 10` listens on ten ports, prints them as JSON, and ends with
its input. Unlike local/sandbox it has no faults and no rules. It costs little, so that it does not
compete with what is measured.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from local.child import ROOT

CHANNEL = {
    "id": "int-one",
    "name": "One",
    "identifier": "mastodon",
    "picture": None,
    "disabled": False,
    "profile": "one",
}
_BUDGET = (
    "X-RateLimit-Limit: 1000000\r\nX-RateLimit-Remaining: 999999\r\nX-RateLimit-Reset: 3600\r\n"
)
#: Posts of one date, by id.
Day = dict[str, dict[str, Any]]


@dataclass
class Organization:
    """The posts of one server, and what it was asked."""

    everywhere: Counter[str] = field(default_factory=Counter)  # of all servers, since the start
    latency: float = 0.0
    created: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    posts: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_date: dict[str, Day] = field(default_factory=dict)
    released_at: dict[str, float] = field(default_factory=dict)  # by content: Unix time

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        path = urlsplit(target)
        route = path.path.removeprefix("/public/v1")
        match method, route.split("/")[1:]:
            case "GET", ["_facts"]:
                return 200, self.asked
            case "GET", ["_everywhere"]:
                return 200, self.everywhere
            case "GET", ["_released"]:
                return 200, self.released_at
            case "PUT", ["_latency"]:
                self.latency = float(body)
                self.asked.clear()
                return 200, {}
            case "GET", ["is-connected"]:
                return 200, {"connected": True}
            case "GET", ["integrations"]:
                return 200, [CHANNEL]
            case "GET", ["notifications"]:
                return 200, {"notifications": [], "total": 0, "page": 0, "limit": 100}
            case "GET", ["posts"]:
                self.asked["window"] += 1
                return 200, {"posts": self._window(parse_qs(path.query))}
            case "POST", ["posts"]:
                self.asked["counted"] += 1
                self.everywhere["counted"] += 1
                return 201, self._create(json.loads(body))
            case "PUT", ["posts", postiz_id, "status"]:
                self.asked["status"] += 1
                return self._release(postiz_id)
            case "DELETE", ["posts", _]:
                return 200, {"error": True}
        return 404, {"message": f"Cannot {method} {route}", "statusCode": 404}

    def _create(self, body: dict[str, Any]) -> list[dict[str, str]]:
        state = "DRAFT" if body["type"] == "draft" else "PUBLISHED"
        rows = [self._post(body["date"], state, element) for element in body["posts"]]
        day = self.by_date.setdefault(body["date"], {})
        for row in rows:
            self.posts[row["id"]] = day[row["id"]] = row
        return [{"postId": row["id"], "integration": "int-one"} for row in rows]

    def _post(self, date: str, state: str, element: dict[str, Any]) -> dict[str, Any]:
        self.created += 1
        postiz_id = f"post-{self.created}"
        return {
            "id": postiz_id,
            "content": element["value"][0]["content"],
            "publishDate": date,
            "releaseURL": f"https://network.example/{postiz_id}" if state == "PUBLISHED" else None,
            "state": state,
            "integration": {"id": CHANNEL["id"]},
        }

    def _window(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        start, end = query["startDate"][0], query["endDate"][0]
        if start == end:
            return list(self.by_date.get(start, {}).values())
        return [row for row in self.posts.values() if start <= row["publishDate"] <= end]

    def _release(self, postiz_id: str) -> tuple[int, Any]:
        if postiz_id not in self.posts:
            return 400, {"msg": "Post not found"}
        url = f"https://network.example/{postiz_id}"
        post = self.posts[postiz_id]
        post |= {"state": "PUBLISHED", "releaseURL": url}
        self.released_at[post["content"]] = time.time()
        return 200, {"id": postiz_id, "state": "QUEUE"}


class _Exchange(asyncio.Protocol):
    """One connection: requests one after the other, each answered after the latency."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, target, _ = lines[0].split(" ")
        latency = 0.0 if "/_" in target else self._organization.latency
        answer = self._organization.answer, method, target, rest[:length]
        if latency:
            asyncio.get_running_loop().call_later(latency, self._answer, *answer)
        else:
            self._answer(*answer)

    def _answer(self, answer: Any, method: str, target: str, body: bytes) -> None:
        status, reply = answer(method, target, body)
        payload = json.dumps(reply).encode()
        head = (
            f"HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\nDate: {formatdate(usegmt=True)}\r\n"
            f"{_BUDGET if method == 'POST' else ''}\r\n"
        )
        self._transport.write(head.encode() + payload)


async def _serve(count: int) -> None:
    loop = asyncio.get_running_loop()
    everywhere: Counter[str] = Counter()
    organizations = [Organization(everywhere) for _ in range(count)]
    servers = [
        await loop.create_server(lambda one=one: _Exchange(one), "127.0.0.1", 0)  # type: ignore[misc]
        for one in organizations
    ]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@dataclass(frozen=True)
class Instant:
    """One of the servers."""

    url: str

    @property
    def api_url(self) -> str:
        return f"{self.url}/public/v1"

    def begin(self, latency: float) -> None:
        """Answer after so many seconds from now on, and count anew."""
        requests.put(f"{self.url}/_latency", data=str(latency), timeout=60).raise_for_status()

    def asked(self) -> Counter[str]:
        """`counted` calls, `status` changes and `window` reads since `begin`."""
        return Counter(self._read("_facts"))

    def counted_everywhere(self) -> int:
        """Counted calls to all servers since they started."""
        return Counter(self._read("_everywhere"))["counted"]

    def released_at(self) -> dict[str, float]:
        """When each post's status was changed, by its content (Unix time)."""
        found: dict[str, float] = self._read("_released")
        return found

    def _read(self, name: str) -> Any:
        return requests.get(f"{self.url}/{name}", timeout=60).json()


@contextmanager
def instant_servers(count: int) -> Iterator[list[Instant]]:
    command = [sys.executable, "-m", "tests.servers.instant_postiz", str(count)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        yield [Instant(f"http://127.0.0.1:{port}") for port in ports]
        process.communicate()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
