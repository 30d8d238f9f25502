"""A real HTTP receiver of webhooks that answers as a test says, and verifies all it is sent."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeVar

from cryptography.fernet import Fernet
from standardwebhooks import Webhook

from shared.crypto import SecretBox
from shared.domain.webhook_retries import Answer
from shared.net.outbound_route import Route
from shared.webhooks.subscriptions import new_secret
from tests.servers.http_server import http_server
from worker.webhooks.delivery_attempt import ClaimedDelivery, attempt_delivery


@dataclass(frozen=True)
class Say:
    """How to answer one request; `once`: not before this is so."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    once: Callable[[], bool] = lambda: True


@dataclass(frozen=True)
class Heard:
    """One request as it came."""

    headers: dict[str, str]
    body: str
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def payload(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read

    def verified(self, secret: str) -> Any:
        """By the published library; raises for what the secret did not sign."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """`answers`: of the requests to come, in their order; the last one serves all that follow."""

    url: str
    answers: list[Say]
    heard: list[Heard] = field(default_factory=list)

    def take(self, one: Heard) -> Say:
        self.heard.append(one)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def types(self) -> list[str]:
        return [one.payload["type"] for one in self.heard]


R = TypeVar("R", bound=Receiver)


def _handler(found: Callable[[], Receiver]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            say = found().take(Heard(headers, body, time.time()))
            while not say.once():
                time.sleep(0.02)
            self.send_response(say.status)
            for name, value in say.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                return  # the sender gave up on us

    return Handler


def receiving(answers: Sequence[Say] = (Say(),)) -> AbstractContextManager[Receiver]:
    return listening(lambda url: Receiver(url, list(answers)))


@contextmanager
def listening(receiver_at: Callable[[str], R]) -> Iterator[R]:
    """A receiver of one's own making, which is told its URL."""
    with http_server(_handler(lambda: receiver)) as url:
        receiver = receiver_at(f"{url}/hook")
        yield receiver


def attempted(url: str, route: Route) -> Answer:
    """What came of telling whoever listens at `url` of an event."""
    box = SecretBox([Fernet.generate_key().decode()])
    claimed = ClaimedDelivery(
        id=1,
        claim=1,
        webhook_id=1,
        attempt=1,
        message_id="msg_1",
        url=url,
        sealed=[box.seal(new_secret())],
        body="{}",
    )
    return attempt_delivery(claimed, box, route).answer
