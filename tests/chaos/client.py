"""Calls the HTTP API as a script of a user does: again and again until it was answered."""

import time
from contextlib import suppress
from typing import Any

import requests

#: Answers after which the same request may go through: the same key under way, or an outage.
AGAIN = frozenset({409, 429, 500, 502, 503, 504})
PATIENCE = 180.0
TRIES = 8


class NeverAnswered(Exception):
    """The API did not take a request for as long as we are patient."""


class Client:
    def __init__(self, web_url: str, admin_key: str) -> None:
        self._base = f"{web_url}/api/v1"
        self._key = admin_key
        self.retries = 0

    def ask(
        self, method: str, path: str, *, profile: str | None = None, **body: Any
    ) -> requests.Response | None:
        """An answer, whatever it says; None where none was to be had in a few tries."""
        for _ in range(TRIES):
            headers = {"Authorization": f"Bearer {self._key}"}
            headers |= {"X-Profile-Id": profile} if profile else {}
            with suppress(requests.RequestException):
                url = self._base + path
                reply = requests.request(method, url, headers=headers, timeout=20, **body)
                if reply.status_code not in AGAIN - {409}:
                    return reply
            time.sleep(0.5)
        return None

    def insist(
        self,
        method: str,
        path: str,
        *,
        profile: str | None = None,
        once: str | None = None,
        **body: Any,
    ) -> Any:
        """The JSON of the answer. `once`: the Idempotency-Key that makes a repeat harmless."""
        headers = {"Authorization": f"Bearer {self._key}"}
        headers |= {"X-Profile-Id": profile} if profile else {}
        headers |= {"Idempotency-Key": once} if once else {}
        deadline = time.monotonic() + PATIENCE
        said = "nothing"
        while time.monotonic() < deadline:
            try:
                url = self._base + path
                reply = requests.request(method, url, headers=headers, timeout=20, **body)
            except requests.RequestException as error:
                said = repr(error)
            else:
                if reply.ok:
                    return reply.json()
                said = f"{reply.status_code} {reply.text[:500]}"
                if reply.status_code not in AGAIN:
                    break
            self.retries += 1
            time.sleep(0.5)
        raise NeverAnswered(f"{method} {path}: {said}")
