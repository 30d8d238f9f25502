"""A client's socket that gives up a client which sends or reads too slowly."""

import socket
import time
from typing import Any

#: A client that neither sends nor reads anything for so long is given up (seconds).
STALL_SECONDS = 30.0
#: Once it was waited for so long (seconds), it must have sent so many bytes for each second of it.
GRACE_SECONDS = 20.0
MIN_RATE = 4 * 1024
#: The most that is read at once (bytes), and the size of the pieces in which a body is parsed.
#: Memory for larger ones goes back to the system after each, and has to be made again for the next.
PIECE = 128 * 1024


class PacedSocket(socket.socket):
    """Where it blocks, it does so with a time limit. What comes too slowly ends as if cut off."""

    def __init__(self, taken_over: socket.socket) -> None:
        super().__init__(fileno=taken_over.detach())
        self.begin_request()

    def begin_request(self) -> None:
        """From here on its bytes are counted, and the time that is spent waiting for them."""
        self._received = 0
        self._waited = 0.0

    def setblocking(self, flag: bool) -> None:
        self.settimeout(STALL_SECONDS if flag else 0)

    def recv(self, size: int, *args: Any) -> bytes:
        began_at = time.monotonic()
        piece = super().recv(min(size, PIECE), *args)
        self._waited += time.monotonic() - began_at
        self._received += len(piece)
        too_slow = self._received < self._waited * MIN_RATE
        return b"" if too_slow and self._waited > GRACE_SECONDS else piece
