"""A line between clients and a server that breaks when a test wants it, and counts its bytes."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_PIECE = 64 * 1024


class BreakingLine:
    """`sent`: bytes that clients sent. `breaks_at`: at so many of them each connection is cut.

    `is_dead`: nothing goes through. `loses_reply_to`: it dies when a request with these bytes is
    answered. `loses`: whether the answer to what is sent is lost, and its connection alone cut.
    """

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.port: int = self._listener.getsockname()[1]
        self.sent = 0
        self.breaks_at: list[int] = []
        self.breaks = 0
        self.is_dead = False
        self.loses_reply_to: bytes | None = None
        self.loses: Callable[[bytes], bool] = lambda _: False
        self.lost = 0
        self._reply_is_lost = False
        self._cut: set[socket.socket] = set()

    def serve(self) -> None:
        with suppress(OSError):  # closed: the end
            while True:
                client, _ = self._listener.accept()
                if self.is_dead:
                    client.close()
                    continue
                server = socket.create_connection(self._to)
                for work in (self._carry_up, self._carry_down):
                    threading.Thread(target=work, args=(client, server), daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _carry_up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while piece := client.recv(_PIECE):
                if self.loses_reply_to and self.loses_reply_to in piece:
                    self.loses_reply_to, self._reply_is_lost = None, True
                if self.loses(piece):
                    self._cut.add(server)
                server.sendall(piece)
                if self._is_break_due(len(piece)) or self.is_dead:
                    break
        _end_both(client, server)

    def _carry_down(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while piece := server.recv(_PIECE):
                if self._reply_is_lost:
                    self._reply_is_lost, self.is_dead = False, True
                if server in self._cut:
                    self._cut.remove(server)
                    self.lost += 1
                    break
                if self.is_dead:
                    break
                client.sendall(piece)
        _end_both(client, server)

    def _is_break_due(self, size: int) -> bool:
        with self._lock:
            self.sent += size
            if self.breaks_at and self.sent >= self.breaks_at[0]:
                self.breaks_at.pop(0)
                self.breaks += 1
                return True
        return False


def _end_both(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def breaking_line(port: int) -> Iterator[BreakingLine]:
    """To a server on `port` of this machine."""
    line = BreakingLine(port)
    threading.Thread(target=line.serve, daemon=True).start()
    try:
        yield line
    finally:
        line.close()
