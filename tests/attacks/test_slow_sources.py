"""Attack 6: a source of a file that drips is given up, however it drips."""

import time

import pytest

from shared.errors import Transient
from shared.net import download
from shared.net.download import read_url
from shared.net.outbound_route import Route
from tests.servers.raw_server import Dripping, answering, head

ROUTE = Route(allow_private=True)
PACE = 1.0
#: Seconds that the busiest machine needs besides.
ROOM = 20.0
CHUNKED = "Transfer-Encoding: chunked"
DRIPS = {
    "a file": Dripping(head("Content-Length: 100000000")),
    "a file without a length": Dripping(head("Connection: close")),
    "the length of a chunk": Dripping(head(CHUNKED), b"0"),
    "what follows the length of a chunk": Dripping(head(CHUNKED) + b"10;", b"x"),
    "chunks": Dripping(head(CHUNKED), b"1\r\nx\r\n"),
    "a burst at first": Dripping(head("Content-Length: 100000000") + bytes(10 * 1024**2)),
}


@pytest.mark.parametrize("name", DRIPS)
def test_a_source_that_drips_is_given_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PACE_SECONDS", PACE)
    began = time.monotonic()
    with answering(DRIPS[name]) as source:
        with pytest.raises(Transient, match="too slow"):
            for _ in read_url(source.url, ROUTE):
                assert time.monotonic() - began < ROOM
        DRIPS[name].over.set()
    assert PACE <= time.monotonic() - began < ROOM


@pytest.mark.parametrize("name", ["head", "status line"])
def test_a_source_whose_head_drips_is_given_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "HEAD_SECONDS", PACE)
    drip = Dripping(b"HTTP/1.1 200 OK\r\nX: " if name == "head" else b"HTTP/1.1 200 ", b"y")
    began = time.monotonic()
    with answering(drip) as source:
        with pytest.raises(Transient):
            list(read_url(source.url, ROUTE))
        drip.over.set()
    assert time.monotonic() - began < ROOM


def test_the_time_that_we_need_for_a_piece_is_not_the_sources(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download, "PACE_SECONDS", 0.5)
    monkeypatch.setattr(download, "CHUNK", 64 * 1024)
    size = 2 * 1024**2
    got = 0
    with answering([head(f"Content-Length: {size}"), bytes(size)]) as source:
        for number, piece in enumerate(read_url(source.url, ROUTE)):
            got += len(piece)
            if number < 3:
                time.sleep(0.8)
    assert got == size
