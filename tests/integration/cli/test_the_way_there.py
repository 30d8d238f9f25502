"""What stands between the command line and a server: proxies, certificates, other names."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from cli.__main__ import main
from cli.http.api import Api
from cli.live.forwarding import _send_on
from cli.publishing.memory import remembering
from cli.sign_in import SignIn, parse_server_url
from tests.servers.certificates import Authority
from tests.servers.http_server import http_server
from tests.servers.raw_server import answering, body

KEY = "pr_that-nobody-else-may-hear"


class _Proxy(BaseHTTPRequestHandler):
    """Notes whatever it is asked."""

    heard: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.heard.append(f"{self.path} {self.headers}")
        self.send_response(502)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def do_CONNECT(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Proxy]]:
    """Of the environment, for everything."""
    _Proxy.heard.clear()
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with http_server(_Proxy) as url:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, url)
        yield _Proxy


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """Its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Proxy)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def run(monkeypatch: pytest.MonkeyPatch, url: str, *words: str) -> int:
    for name, value in {"PRESSROOM_URL": url, "PRESSROOM_API_KEY": KEY}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["pressroom", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_no_proxy_hears_what_goes_to_this_machine(proxy: type[_Proxy]) -> None:
    with answering(body(b'{"items": [], "next_cursor": null}')) as server:
        api = Api(SignIn(url=server.url, api_key=KEY))
        assert api.get("/profiles")["items"] == []
        assert KEY.encode() in server.asked
        status, _ = _send_on(server.url, b"{}", {"webhook-id": "m"})
    assert (status, proxy.heard) == (200, [])


def test_a_server_is_known_again_by_each_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was published there must not be published again because its address was written so."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    same = (
        ("https://press.example", "HTTPS://Press.Example:443/", "press.example"),
        ("http://127.0.0.1:8000", "localhost:8000", "http://[::1]:8000/api/v1"),
        ("http://127.0.0.1", "http://localhost:80"),
    )
    for names in same:
        paths = set()
        for name in names:
            api = Api(SignIn(url=parse_server_url(name), api_key=KEY))
            with remembering(api.server, "acme", tmp_path) as memory:
                paths.add(memory.path)
        assert len(paths) == 1, names


def test_an_address_that_never_works_is_told_at_once_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRESSROOM_PATIENCE", "3600")
    with tls_server(Authority.create(tmp_path).server_context()) as port:
        assert run(monkeypatch, f"https://127.0.0.1:{port}", "profiles") == 1
    assert "certificate that is not trusted" in capsys.readouterr().err
    with http_server(_Proxy) as url:
        assert run(monkeypatch, url.replace("http:", "https:"), "profiles") == 1
    assert "does not speak TLS" in capsys.readouterr().err
    assert run(monkeypatch, "http://127.0.0.1:9", "publish", "a" * 300, "--yes") == 1
    assert "too long" in capsys.readouterr().err


def test_a_proxy_that_leads_nowhere_is_named(
    proxy: type[_Proxy], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRESSROOM_PATIENCE", "0")
    assert run(monkeypatch, "https://press.example", "profiles") == 1
    told = capsys.readouterr().err
    assert "proxy of your environment" in told
    assert KEY not in str(proxy.heard) + told
