"""Files from addresses: streamed, bounded, and never from where an address must not lead us."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import pytest

from shared.errors import InvalidRequest, TooLarge, Transient
from shared.media.ingest import Receiver
from shared.net import address_policy, download
from shared.net.download import read_url
from shared.net.outbound_route import Route
from shared.storage.filesystem import FolderStorage

MIB = 1024**2
GIF = b"GIF89a"
PUBLIC = Route(allow_private=False)


class Source(BaseHTTPRequestHandler):
    """Endless files, dripping ones, and ways that lead elsewhere."""

    protocol_version = "HTTP/1.1"
    sent = 0
    asked: list[str] = []  # noqa: RUF012 (of the server that is running)

    def do_GET(self) -> None:
        Source.asked.append(self.path)
        if self.path.startswith("/to/"):
            self._to("http://" + self.path.removeprefix("/to/"))
        elif self.path.startswith("/hops/"):
            left = int(self.path.removeprefix("/hops/"))
            self._to(f"/hops/{left - 1}" if left else "/a")
        elif self.path == "/endless":
            self._pour(MIB, 0)
        elif self.path == "/drip":
            self._pour(1, 0.05)
        elif self.path == "/chunked":
            self._chunks()
        else:
            self._head(200, {"Content-Length": "6"})
            self.wfile.write(GIF)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _to(self, location: str) -> None:
        self._head(302, {"Location": location, "Content-Length": "0"})

    def _pour(self, size: int, pause: float) -> None:
        self._head(200, {"Content-Length": str(2**40)})
        self.wfile.write(GIF)
        Source.sent = 0
        try:
            while True:
                self.wfile.write(b"\0" * size)
                Source.sent += size
                time.sleep(pause)
        except OSError:
            self.close_connection = True

    def _chunks(self) -> None:
        self._head(200, {"Transfer-Encoding": "chunked"})
        for piece in (GIF, b"and more", b""):
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

    def log_message(self, *_: object) -> None:
        """Quietly."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    served = ThreadingHTTPServer(("0.0.0.0", 0), Source)
    served.daemon_threads = True
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield str(served.server_address[1])
    served.shutdown()
    served.server_close()


@pytest.fixture
def source(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Names lead to this machine; of its addresses, 127.0.0.1 passes for a public one."""
    names = {"public.example": ["127.0.0.1"], "both.example": ["127.0.0.1", "127.0.0.2"]}
    monkeypatch.setattr(address_policy, "resolve_host", lambda host, _port: names.get(host, [host]))
    monkeypatch.setattr(address_policy, "is_public", lambda address: address == "127.0.0.1")
    Source.asked.clear()
    return server


def fetched(url: str) -> bytes:
    return b"".join(read_url(url, PUBLIC))


@pytest.mark.parametrize("path", ["a", "hops/4", "to/public.example:{port}/a"])
def test_a_public_address_is_followed_to_its_file(source: str, path: str) -> None:
    assert fetched(f"http://public.example:{source}/{path.format(port=source)}") == GIF


def test_a_file_of_chunks_is_read_to_its_end(source: str) -> None:
    assert fetched(f"http://public.example:{source}/chunked") == GIF + b"and more"


@pytest.mark.parametrize("host", ["127.0.0.2", "both.example"])
def test_a_redirect_to_a_private_address_is_not_followed(source: str, host: str) -> None:
    with pytest.raises(InvalidRequest, match="private"):
        fetched(f"http://public.example:{source}/to/{host}:{source}/secret")
    assert "/secret" not in Source.asked


def test_too_many_redirects_are_refused(source: str) -> None:
    with pytest.raises(InvalidRequest, match="redirects"):
        fetched(f"http://public.example:{source}/hops/9")


def test_the_connection_goes_to_the_address_that_was_checked(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    monkeypatch.setattr(address_policy, "resolve_host", lambda *_: next(answers))
    assert fetched(f"http://rebound.example:{source}/a") == GIF
    assert next(answers) == ["127.0.0.2"]  # nobody asked a second time


def test_an_endless_file_is_left_at_its_limit(source: str, tmp_path: Path) -> None:
    with pytest.raises(TooLarge), FolderStorage(tmp_path).receive() as incoming:
        receiver = Receiver(incoming)
        pieces = read_url(f"http://public.example:{source}/endless", PUBLIC)
        with closing(pieces):  # type: ignore[type-var]
            for piece in pieces:
                assert len(piece) <= download.CHUNK
                receiver.write(piece)
    assert Source.sent < 32 * MIB  # 10 MiB are the limit; what is on the way comes besides
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_dripping_file_is_given_up(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://public.example:{source}/drip"
    with closing(read_url(url, PUBLIC)) as pieces:  # type: ignore[type-var]
        assert len(list(islice(pieces, 3))) == 3  # each as it comes: the lease is kept
    monkeypatch.setattr(download, "TOTAL_SECONDS", 0.2)
    with pytest.raises(Transient, match="too slow"):
        fetched(url)
