"""Attacks 7 and 10: requests that no client makes get their 4xx, and none delays the others."""

import socket
import threading
import time
from contextlib import closing

import pytest
import requests

from tests.servers.api import ADMIN_KEY, PREFIX
from tests.servers.web_server import Server
from tests.timing.patience import PATIENCE

#: What made the search for secrets in the log's lines long.
PIECES = ("a", "-", "token", "://a", "'", "token=")


def exchange(server: Server, request: bytes, *, is_all: bool = False) -> bytes:
    """The beginning of the answer; `is_all`: say that nothing more is sent."""
    with closing(socket.create_connection(("127.0.0.1", server.port), PATIENCE)) as connection:
        connection.sendall(request)
        if is_all:
            connection.shutdown(socket.SHUT_WR)
        return connection.recv(64 * 1024)


def test_request_lines_that_are_refused_cost_little(server: Server) -> None:
    """Sixty malformed request lines of 4 kB take no longer than a few hundred live requests."""
    began = time.monotonic()
    for _ in range(300):
        assert b" 200 " in exchange(server, b"GET /health/live HTTP/1.0\r\n\r\n")
    usual = time.monotonic() - began
    attackers = [
        threading.Thread(
            target=exchange, args=(server, (piece * 4000)[:4000].encode() + b" / HTTP/1.1\r\n\r\n")
        )
        for piece in PIECES * 10
    ]
    began = time.monotonic()
    for attacker in attackers:
        attacker.start()
    for attacker in attackers:
        attacker.join()
    assert time.monotonic() - began < 3 * usual + 1


@pytest.mark.parametrize("size", [b"zz", b"-1", b"1" * 40, b"5;" + b"x" * 9000, b""])
@pytest.mark.parametrize(
    "kind", ["application/json", "text/csv", "multipart/form-data; boundary=b"]
)
def test_a_malformed_chunk_is_a_400(server: Server, size: bytes, kind: str) -> None:
    paths = {"a": "/postiz/bulk-publish", "t": "/postiz/bulk-publish", "m": "/postiz/upload"}
    head = (
        f"POST {PREFIX}{paths[kind[0]]} HTTP/1.1\r\nHost: a\r\nX-Profile-Id: acme\r\n"
        f"Authorization: Bearer {ADMIN_KEY}\r\nTransfer-Encoding: chunked\r\n"
        f"Connection: close\r\nContent-Type: {kind}\r\n\r\n"
    )
    chunks = b"3\r\n--b\r\n" + size + b"\r\nx\r\n0\r\n\r\n"
    answer = exchange(server, head.encode() + chunks, is_all=True)
    assert answer.startswith(b"HTTP/1.1 4"), answer


@pytest.mark.parametrize("depth", [63, 64, 65, 254, 256, 300, 900, 5000])
def test_values_that_are_nested_too_deeply_are_a_400(server: Server, depth: int) -> None:
    deep = '{"a":' * (depth - 4) + "1" + "}" * (depth - 4)
    for path, body in (
        ("/postiz/bulk-publish?dry_run=true", '{"items":[{"settings":{"x":%s}}]}'),
        ("/postiz/bulk-publish", '{"items":[{"settings":{"x":%s}}]}'),
        ("/profiles", '{"name":"N","tts_settings":{"other":{"x":%s}}}'),
    ):
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"k{depth}{path}"}
        reply = _post(server, path, body % deep, headers)
        assert reply.status_code < 500, reply.text
        assert (reply.status_code == 400) or depth < 65, reply.text
        if depth in {65, 254}:
            assert "nested too deeply" in reply.text


def _post(server: Server, path: str, body: str, headers: dict[str, str]) -> requests.Response:
    sent = {"Authorization": f"Bearer {ADMIN_KEY}", "X-Profile-Id": "acme", **headers}
    return requests.post(server.url + path, data=body.encode(), headers=sent, timeout=PATIENCE)
