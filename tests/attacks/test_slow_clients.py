"""Attack 6: clients that never finish what they began leave the threads to everybody else."""

import json
import select
import socket
from contextlib import ExitStack, closing

import pytest
import requests

from tests.servers.api import ADMIN_KEY, PREFIX
from tests.servers.web_server import Server
from tests.timing.patience import PATIENCE

#: More than both processes have threads.
CLIENTS = 60
MANY = 200
#: An answer that waits for a slow client would take longer (seconds): they hold on for longer.
SOON = 30.0

LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
AUTHORIZED = f"Host: a\r\nAuthorization: Bearer {ADMIN_KEY}\r\nX-Profile-Id: acme\r\n".encode()


def posting(path: str, *lines: str) -> bytes:
    head = f"POST {PREFIX}{path} HTTP/1.1\r\n".encode() + AUTHORIZED
    return head + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


JSON = "Content-Type: application/json"
BEGUN = {
    "nothing": b"",
    "half a head": LIVE[:-2],
    "half a head after a request": LIVE + LIVE[:-2],
    "half a body": posting("/profiles", JSON, "Content-Length: 1000") + b'{"id":',
    "half a chunk": posting("/profiles", JSON, "Transfer-Encoding: chunked") + b"10\r\n{",
    "a body that it wants to be asked for": posting(
        "/profiles", JSON, "Content-Length: 1000", "Expect: 100-continue"
    ),
    "a long body": posting("/postiz/bulk-publish", JSON, "Content-Length: 60000000") + b"{",
    "a long body without a key": b"POST /api/v1/profiles HTTP/1.1\r\nHost: a\r\n"
    b"Content-Length: 60000000\r\n\r\n{",
}


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), PATIENCE)


@pytest.mark.parametrize("begun", BEGUN.values(), ids=BEGUN)
def test_what_is_never_finished_takes_no_thread_from_others(server: Server, begun: bytes) -> None:
    with ExitStack() as held:
        for _ in range(CLIENTS):
            held.enter_context(closing(connected(server))).sendall(begun)
        for _ in range(20):  # both processes are asked
            reply = requests.get(f"http://127.0.0.1:{server.port}/health/live", timeout=SOON)
            assert reply.status_code == 200
            made = requests.get(
                f"{server.url}/keys", headers={"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=SOON
            )
            assert made.status_code == 200


def test_who_takes_too_long_is_disconnected(server: Server) -> None:
    with ExitStack() as held:
        slow = []
        for begun in (b"", LIVE[:-2], BEGUN["half a body"]):
            slow.append(held.enter_context(closing(connected(server))))
            slow[-1].sendall(begun)
        assert [client.recv(1024) for client in slow] == [b"", b"", b""]


def test_who_wants_to_be_asked_for_the_body_is_asked_once(server: Server) -> None:
    body = json.dumps({"name": "k", "scopes": ["read"]}).encode()
    with closing(connected(server)) as client:
        client.sendall(
            posting("/keys", JSON, f"Content-Length: {len(body)}", "Expect: 100-continue")
        )
        assert client.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert client.recv(1024).startswith(b"HTTP/1.1 201 ")


def test_requests_that_follow_each_other_at_once_are_all_answered(server: Server) -> None:
    with closing(connected(server)) as client:
        client.sendall(LIVE * 5)
        answers = b""
        while answers.count(b"HTTP/1.1 200") < 5:
            piece = client.recv(64 * 1024)
            assert piece, answers
            answers += piece


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /a HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /a HTTP/1.1\r\nX: " + b"a" * 40_000, 431),
        (b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: odd\r\n\r\n", 501),
    ],
)
def test_what_no_application_sees_is_refused_in_the_same_form(
    server: Server, request_: bytes, status: int
) -> None:
    """10: gunicorn would answer in HTML, and tell its name."""
    with closing(connected(server)) as client:
        client.sendall(request_)
        answer = b""
        while piece := client.recv(64 * 1024):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Content-Type: application/problem+json" in head
    assert b"gunicorn" not in answer
    problem = json.loads(body)
    assert (problem["status"], problem["retryable"]) == (status, False)


def test_whether_the_process_is_alive_is_told_before_its_turn(server: Server) -> None:
    """However many others wait for an answer."""
    with ExitStack() as held:
        many = [held.enter_context(closing(connected(server))) for _ in range(MANY)]
        for each in many:
            each.sendall(f"GET {PREFIX}/posts HTTP/1.1\r\n".encode() + AUTHORIZED + b"\r\n")
        asking = held.enter_context(closing(connected(server)))
        asking.sendall(LIVE)
        assert asking.recv(1024).startswith(b"HTTP/1.1 200")
        answered, _, _ = select.select(many, [], [], 0)
        assert len(answered) < MANY / 2
        for each in many:
            assert each.recv(1024).startswith(b"HTTP/1.1 200")
