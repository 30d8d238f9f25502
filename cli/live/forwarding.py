"""Takes deliveries of a webhook on this machine, and hands them on to an address of the user's."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

import requests

from cli.http.lines import proxies_for

#: Bytes of a delivery, and seconds until its receiver has to answer: Pressroom itself waits 10.
_LARGEST = 16 * 1024**2
_SECONDS = 9.0
_PASSED_ON = ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature")


class Told(Protocol):
    """Hears of each delivery: its id, and the receiver's status or why there is none."""

    def __call__(self, message_id: str, answer: str) -> None: ...


@contextmanager
def listening(bind: str, port: int, forward_to: str, told: Told) -> Iterator[str]:
    """Gives the address, with a path that nobody guesses. Raises `OSError`."""
    path = f"/{secrets.token_urlsafe(24)}"
    server = ThreadingHTTPServer((bind, port), _handler_class(path, forward_to, told))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{bind}:{server.server_address[1]}{path}"
    finally:
        server.shutdown()
        server.server_close()


def _handler_class(path: str, forward_to: str, told: Told) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SECONDS

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if self.path != path:
                self._answer(404)
            elif not length.isdigit() or int(length) > _LARGEST:
                self._answer(413)
            else:
                self._answer(self._forward(self.rfile.read(int(length))))

        def _forward(self, body: bytes) -> int:
            """The receiver's status becomes ours, so that a failure is tried again as always."""
            headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
            status, said = _send_on(forward_to, body, headers)
            told(self.headers.get("webhook-id", ""), said)
            return status

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: `told` says what there is to say."""

    return Handler


def _send_on(forward_to: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    try:
        with requests.post(
            forward_to,
            data=body,
            headers=headers,
            timeout=_SECONDS,
            allow_redirects=False,
            proxies=proxies_for(forward_to),
            stream=True,
        ) as reply:
            return reply.status_code, str(reply.status_code)
    except requests.RequestException as error:
        return 502, f"not reached ({type(error).__name__})"


def wait_for_ever(wait: Callable[[float], object]) -> None:
    """Until Ctrl-C, which is heard between two short waits."""
    while True:
        wait(1.0)
