"""Calls Pressroom's HTTP API as any script would, for the demo."""

import time
import uuid
from pathlib import Path
from typing import Any

import requests

from local.errors import StackError

_ANSWER_SECONDS = 120
_TERMINAL_FAILURES = ("failed", "cancelled", "completed_with_errors")


class Api:
    """Speaks as one key; after `use_profile`, for one profile."""

    def __init__(self, web_url: str, key: str) -> None:
        self._base = f"{web_url}/api/v1"
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the user has no way to our loopback address
        self._session.headers["Authorization"] = f"Bearer {key}"

    def use_profile(self, profile_id: str) -> None:
        self._session.headers["X-Profile-Id"] = profile_id

    def get(self, path: str, **query: str) -> Any:
        return self._call("GET", path, params=query)

    def post(self, path: str, body: object) -> Any:
        return self._call("POST", path, json=body, headers=_once())

    def upload(self, file: Path) -> Any:
        with file.open("rb") as content:
            files = {"file": (file.name, content, "video/mp4")}
            return self._call("POST", "/postiz/upload", files=files, headers=_once())

    def wait_for_job(self, job_id: str, *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (job := self.get(f"/jobs/{job_id}"))["state"] != "completed":
            if job["state"] in _TERMINAL_FAILURES or time.monotonic() > deadline:
                raise StackError(f"job {job_id} ({job['kind']}) is {job['state']}: {job}")
            time.sleep(0.3)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        url = f"{self._base}{path}"
        answer = self._session.request(method, url, timeout=_ANSWER_SECONDS, **options)
        if not answer.ok:
            raise StackError(f"{method} {path} answered {answer.status_code}: {answer.text}")
        return answer.json()


def _once() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}
