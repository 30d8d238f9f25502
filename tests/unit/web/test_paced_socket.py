"""A client that sends too slowly is cut off; one that we are slow to read from is not."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from web import paced_socket
from web.paced_socket import PacedSocket


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PacedSocket, socket.socket]]:
    monkeypatch.setattr(paced_socket, "GRACE_SECONDS", 0.2)
    ours, theirs = socket.socketpair()
    paced = PacedSocket(ours)
    paced.setblocking(True)
    yield paced, theirs
    paced.close()
    theirs.close()


def test_what_drips_ends_as_if_it_was_cut_off(ends: tuple[PacedSocket, socket.socket]) -> None:
    paced, theirs = ends
    over = threading.Event()

    def drip() -> None:
        while not over.wait(0.05):
            theirs.send(b"a")

    sender = threading.Thread(target=drip)
    sender.start()
    received = 0
    while piece := paced.recv(1024):
        received += len(piece)
    over.set()
    sender.join()
    assert received < 0.2 * paced_socket.MIN_RATE


def test_the_time_in_which_nobody_reads_is_not_held_against_it(
    ends: tuple[PacedSocket, socket.socket],
) -> None:
    paced, theirs = ends
    for _ in range(3):
        theirs.send(b"a")
        time.sleep(0.2)
        assert paced.recv(1024) == b"a"


def test_a_new_request_begins_anew(ends: tuple[PacedSocket, socket.socket]) -> None:
    paced, theirs = ends
    timer = threading.Timer(0.3, theirs.send, [b"a"])
    timer.start()
    assert paced.recv(1024) == b""
    paced.begin_request()
    theirs.send(b"b")
    assert paced.recv(1024) == b"b"
    timer.join()


def test_a_client_that_says_nothing_at_all_is_waited_for_with_a_limit(
    ends: tuple[PacedSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paced_socket, "STALL_SECONDS", 0.1)
    paced, _theirs = ends
    paced.setblocking(True)
    with pytest.raises(TimeoutError):
        paced.recv(1024)
