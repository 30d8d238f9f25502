"""What has come of a request before a thread takes it: its head, and its body if that is short."""

import re
from enum import Enum

#: The longest head (bytes), and the longest body that is waited for here; longer ones are read by
#: a thread, from the slots of uploads, and so are all bytes of resumable uploads: over a poor line
#: they take their time, and what has come when it breaks is kept.
MAX_HEAD = 32 * 1024
SHORT_BODY = 1024**2
#: How long a head and a short body may take (seconds).
ARRIVAL_SECONDS = 10.0

_END_OF_HEAD = b"\r\n\r\n"
_END_OF_CHUNKS = b"0\r\n\r\n"
_LENGTH = re.compile(rb"\r\nContent-Length:[ \t]*+([0-9]{1,18})[ \t]*+\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\nTransfer-Encoding:[^\r\n]*?chunked", re.IGNORECASE)
_OF_UPLOAD = re.compile(
    rb"\r\nContent-Type:[ \t]*+application/offset\+octet-stream[ \t]*+[;\r]", re.IGNORECASE
)
_EXPECTS = re.compile(rb"\r\nExpect:[ \t]*+100-continue[ \t]*+(?=\r\n)", re.IGNORECASE)


class Progress(Enum):
    """`EXPECTED`: the sender waits for a `100 Continue` before it sends its body."""

    COMING = "coming"
    EXPECTED = "expected"
    READY = "ready"
    TOO_LONG = "too long"


class ArrivingRequest:
    """Says when a thread can answer the request without waiting for its sender.

    Only where a request ends is looked for; what is wrong with it, its parser says. A head that
    hides its length gets a thread early, and that thread reads within the limits of `PacedSocket`.
    """

    def __init__(self, *, now: float) -> None:
        self._pieces = bytearray()
        self._searched = 0
        self._end_of_head = -1
        self._end: int | None = None  #: of the whole request; None: where its last chunk ends
        self.received = 0  #: bytes
        self.deadline = now + ARRIVAL_SECONDS

    @property
    def content(self) -> bytes:
        """Without the `Expect` that was answered."""
        return bytes(self._pieces)

    def take(self, piece: bytes) -> Progress:
        """Adds what came; each byte is looked at once."""
        self.received += len(piece)
        self._pieces += piece
        if self._end_of_head < 0 and not self._find_head():
            return Progress.TOO_LONG if len(self._pieces) > MAX_HEAD else Progress.COMING
        if self._end is None:
            whole = self._pieces.endswith(_END_OF_CHUNKS, self._end_of_head)
            ready = whole or len(self._pieces) - self._end_of_head > SHORT_BODY
        else:
            ready = len(self._pieces) >= self._end
        return Progress.READY if ready else self._coming()

    def _find_head(self) -> bool:
        start = max(0, self._searched - len(_END_OF_HEAD) + 1)
        self._searched = len(self._pieces)
        found = self._pieces.find(_END_OF_HEAD, start, MAX_HEAD)
        if found < 0:
            return False
        self._end_of_head = found + len(_END_OF_HEAD)
        head = bytes(self._pieces[: self._end_of_head])
        if _OF_UPLOAD.search(head):
            self._end = self._end_of_head
        elif not _CHUNKED.search(head):
            length = _LENGTH.search(head)
            body = int(length[1]) if length else 0
            self._end = self._end_of_head + (body if body <= SHORT_BODY else 0)
        return True

    def _coming(self) -> Progress:
        head = bytes(self._pieces[: self._end_of_head])
        expects = _EXPECTS.search(head)
        if expects is None:
            return Progress.COMING
        # answered here, so that the server does not answer it again
        del self._pieces[expects.start() : expects.end()]
        removed = expects.end() - expects.start()
        self._end_of_head -= removed
        if self._end is not None:
            self._end -= removed
        return Progress.EXPECTED
