"""A server that sends whatever bytes it is given, as a hostile one would."""

import gzip
import itertools
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager


class RawServer:
    """Answers each request on loopback with `pieces`; counts the bytes that it could send.

    `asked`: the newest request."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.requests = 0
        self.asked = b""
        self.sent = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with closing(connection):
            try:
                self.asked = connection.recv(1024**2)
                self.requests += 1
                for piece in self._pieces:
                    connection.sendall(piece)
                    self.sent += len(piece)
            except OSError:
                return  # the other side has had enough


@contextmanager
def answering(pieces: Iterable[bytes]) -> Iterator[RawServer]:
    """`pieces`: a list, or what gives its pieces anew for each request."""
    started = RawServer(pieces)
    with closing(started.socket):
        yield started
        started.socket.shutdown(socket.SHUT_RDWR)  # a thread in accept() would take one more


class Endless:
    """`first`, then `rest` without end."""

    def __init__(self, first: bytes, rest: bytes) -> None:
        self._first, self._rest = first, rest

    def __iter__(self) -> Iterator[bytes]:
        return itertools.chain([self._first], itertools.repeat(self._rest))


def head(*lines: str, status: int = 200) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} X", *lines, "", ""]).encode("latin-1")


def body(content: bytes, *lines: str, status: int = 200) -> list[bytes]:
    """A whole reply of JSON."""
    length = f"Content-Length: {len(content)}"
    return [head("Content-Type: application/json", length, *lines, status=status), content]


def bomb(size: int) -> bytes:
    """So many bytes, compressed to a thousandth."""
    return gzip.compress(b"[" + b" " * size + b"]")


class Dripping:
    """`first`, then a byte twenty times a second, until it is `over`."""

    def __init__(self, first: bytes, byte: bytes = b"\0") -> None:
        self._first, self._byte = first, byte
        self.over = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        while not self.over.wait(0.05):
            yield self._byte
