"""What the contract tests share: a caller with a key, and files made on the spot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from local.sandbox.process import SandboxProcess

MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + b"\x00\x00\x00\x08mdat" + b"clip" * 64
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + b"\x00" * 64
TEN_MIB = 10 * 1024 * 1024

AddFault = Callable[..., int]  # the method of Admin


def padded(head: bytes, size: int) -> bytes:
    return head + b"\x00" * (size - len(head))


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """Name to content, of everything that the exchanges upload."""
    return {
        "small.mp4": MP4,
        "small.png": PNG,
        "big.png": padded(PNG, TEN_MIB + 1),
        "exact10.png": padded(PNG, TEN_MIB),
        "empty.mp4": b"",
        "fake.mp4": b"this is no video",
        "t.txt": b"plain text",
        "m4v.mp4": MP4.replace(b"ftypisom", b"ftypM4V "),
        "q.mov": MP4.replace(b"ftypisom", b"ftypqt  "),
        "v.webm": b"\x1aE\xdf\xa3" + b"\x00" * 60,
    }


@dataclass(frozen=True)
class Caller:
    """Calls the Public API with one organization's key."""

    sandbox: SandboxProcess
    key: str

    def call(
        self, method: str, path: str, *, timeout: float = 120, **more: Any
    ) -> requests.Response:
        headers = {"Authorization": self.key}
        address = f"{self.sandbox.api_url}{path}"
        return requests.request(method, address, headers=headers, timeout=timeout, **more)

    def create(
        self,
        *,
        kind: str = "draft",
        date: str,
        contents: Sequence[str] = ("hello",),
        integration: str = "int-mastodon",
        **more: Any,
    ) -> requests.Response:
        posts = [
            {
                "integration": {"id": integration},
                "settings": more.get("settings", {}),
                "value": [{"content": content, "image": [], **more.get("value", {})}],
            }
            for content in contents
        ]
        body = {"type": kind, "date": date, "shortLink": False, "tags": [], "posts": posts}
        return self.call("POST", "/posts", json=body, timeout=more.get("timeout", 30))

    def draft(self, *, date: str, content: str = "hello") -> str:
        (created,) = self.create(date=date, contents=(content,)).json()
        return str(created["postId"])

    def release(self, post: str, **more: float) -> requests.Response:
        return self.call("PUT", f"/posts/{post}/status", json={"status": "schedule"}, **more)

    def delete(self, post: str) -> requests.Response:
        return self.call("DELETE", f"/posts/{post}")

    def window(self, start: str, end: str | None = None) -> list[dict[str, Any]]:
        params = {"startDate": start, "endDate": end or start}
        posts: list[dict[str, Any]] = self.call("GET", "/posts", params=params).json()["posts"]
        return posts

    def notifications(self) -> list[str]:
        found = self.call("GET", "/notifications").json()["notifications"]
        return [each["content"] for each in found]
