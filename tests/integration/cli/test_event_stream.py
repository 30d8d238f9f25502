"""A job is followed over breaks, however long it has nothing to tell."""

import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from cli.failures import LineBroken
from cli.http.api import Api
from cli.http.patience import VARIABLE
from cli.live.event_stream import follow
from cli.sign_in import SignIn
from tests.servers.http_server import http_server

_PATIENCE, _QUIET = 1.0, 1.5


class _Stream(BaseHTTPRequestHandler):
    """Quiet for longer than the patience, then broken off, then at its end."""

    asked = 0
    ends = True

    def do_GET(self) -> None:
        kind = type(self)
        kind.asked += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"retry: 2000\n\n")
        if kind.asked == 1:
            until = time.monotonic() + _QUIET
            while time.monotonic() < until:
                self.wfile.write(b": still here\n\n")
                time.sleep(0.1)
        elif self.ends:
            self.wfile.write(b'event: done\ndata: {"id": "1"}\n\n')

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(_PATIENCE))


def test_a_break_after_a_quiet_time_is_got_over() -> None:
    handler: Any = type("Handler", (_Stream,), {})
    with http_server(handler) as url:
        api = Api(SignIn(url=url, api_key="a"))
        assert [each.name for each in follow(api, "/jobs/1/events")] == ["done"]
    assert handler.asked == 2


def test_a_stream_that_ends_at_once_again_and_again_is_given_up() -> None:
    handler: Any = type("Handler", (_Stream,), {"asked": 1, "ends": False})
    with http_server(handler) as url:
        api = Api(SignIn(url=url, api_key="a"))
        with pytest.raises(LineBroken, match="again and again"):
            list(follow(api, "/jobs/1/events"))
    assert handler.asked < 20
