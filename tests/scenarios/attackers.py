"""A hostile client, its Postiz and its media sources, all at work at once against a stack.

The client has a key for a profile of its own: what a tenant can do. What needs no key, it does too.
"""

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.servers.raw_server import Endless, answering, body, head
from tests.servers.stacks import RunningStack

#: Seconds that an attacker waits for an answer.
PATIENCE = 20
JSON = "Content-Type: application/json"
LOUD = body(b'{"msg":"' + b"://a" * 3500 + b'"}', status=400)
ENDLESS = Endless(head(JSON), b"[[[[" * 16_384)
DRIPPING = Endless(head("Content-Type: video/mp4", "Content-Length: 100000000"), b"\0")
ODD_HOSTS = ("127.0.0.%31", "[::ffff:127.0.0.1]", "0x7f.1", "metadata.google.internal", "a..b")
UNFINISHED = (
    b"GET /health/live HTTP/1.1\r\n",
    b"POST /api/v1/profiles HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
    b"POST /api/v1/profiles HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n{",
)
LOUD_LINE = b"GET /" + b"://a" * 1000 + b" HTTP/1.1\r\n\r\n"


class Attacker:
    """Repeats its steps in threads of its own until it is told to stop."""

    def __init__(self, stack: RunningStack, profile: str) -> None:
        facts = stack.facts()
        self._web = urlsplit(facts["web_url"])
        self.url = f"{facts['web_url']}/api/v1"
        self.profile = profile
        self._headers = {"Authorization": f"Bearer {facts['admin_key']}", "X-Profile-Id": profile}
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        return requests.request(
            method, self.url + path, json=body, headers=self._headers, timeout=PATIENCE, **more
        )

    def become_tenant(self, api_url: str) -> None:
        """A profile at this Postiz, and a key that is bound to it."""
        postiz = {"api_url": api_url, "api_key": f"key-of-{self.profile}"}
        settings = {"tts_settings": {"postiz": postiz}}
        self.call("POST", "/profiles", {"id": self.profile, "name": self.profile, **settings})
        scopes = ["read", "publish", "settings"]
        bound = {"name": self.profile, "scopes": scopes, "profile_ids": [self.profile]}
        self._headers["Authorization"] = f"Bearer {self.call('POST', '/keys', bound).json()['key']}"

    def follow_a_job(self) -> None:
        """Of a post that is due in an hour."""
        due = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        body = {"caption": "later", "integration_ids": ["int-one"], "schedule_date": due}
        self.job = self.call("POST", "/postiz/publish", body).json()["job"]["id"]
        self.repeat(self.read_events, threads=12)

    def repeat(self, step: Callable[[], Any], *, threads: int = 1) -> None:
        def run() -> None:
            while not self._over.wait(0.05):
                with suppress(OSError, requests.RequestException):
                    step()

        for _ in range(threads):
            self._threads.append(threading.Thread(target=run, daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)

    def validate(self, body: dict[str, str]) -> None:
        self.call("POST", f"/profiles/{self.profile}/validate", body)

    def send_raw(self, content: bytes) -> None:
        """And wait for what comes of it."""
        address = (self._web.hostname, self._web.port)
        with closing(socket.create_connection(address, PATIENCE)) as connection:
            connection.sendall(content)
            while connection.recv(64 * 1024):
                pass

    def read_events(self) -> None:
        with self.call("GET", f"/jobs/{self.job}/events", stream=True) as reply:
            for _ in reply.iter_content(1024):
                if self._over.is_set():
                    return


@contextmanager
def under_attack(stack: RunningStack) -> Iterator[None]:
    """Numbers 1, 2, 5 and 6 at once: loud, odd, endless and slow."""
    with ExitStack() as held:
        loud, endless, dripping = (
            held.enter_context(answering(pieces)).url for pieces in (LOUD, ENDLESS, DRIPPING)
        )
        attackers = [Attacker(stack, name) for name in ("loud", "endless")]
        for attacker, api_url in zip(attackers, (loud, endless), strict=True):
            attacker.become_tenant(api_url)
            held.callback(attacker.stop)
            _begin(attacker, dripping)
        yield


def _begin(attacker: Attacker, dripping: str) -> None:
    numbers, hosts = itertools.count(), itertools.cycle(ODD_HOSTS)
    post = {"caption": "://a" * 500, "integration_ids": ["int-one"]}

    def fetch(url: str) -> None:
        attacker.call("POST", "/postiz/upload", {"url": url})

    def change_host() -> None:
        attacker.validate({"api_url": f"http://{next(hosts)}/", "api_key": "k"})

    attacker.repeat(lambda: attacker.send_raw(LOUD_LINE), threads=3)
    attacker.repeat(lambda: attacker.call("POST", "/postiz/publish", post))
    attacker.repeat(change_host)
    attacker.repeat(lambda: fetch(f"{dripping}/{next(numbers)}.mp4"))
    for begun in UNFINISHED:
        attacker.repeat(lambda begun=begun: attacker.send_raw(begun), threads=20)  # type: ignore[misc]
    attacker.repeat(lambda: attacker.validate({}), threads=30)
    attacker.follow_a_job()
