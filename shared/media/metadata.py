"""The metadata of a stored file, as far as it can be read: for planning, and for people.

It never decides whether a file is accepted: a file with unreadable metadata is still published.
The file is untrusted, so it is read by a process of its own (metadata_reader.py), which can make
its thumbnail too.
"""

import io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import Unavailable, Unprocessable
from shared.log import get_logger
from shared.media import metadata_reader
from shared.media.metadata_reader import ANSWER, METADATA, REQUEST, THUMBNAIL

#: The most that is read of a file, and of it at once (bytes).
_READ = 64 * 1024**2
_PIECE = 1024**2
#: The longest answers (bytes).
_ANSWER = 4096
_THUMBNAIL = 256 * 1024
_JPEG = b"\xff\xd8\xff"
#: How long it may take until the reader has ended (seconds), of which starting it takes 0.3.
_SECONDS = 20.0
#: How many files a process has read at once.
_AT_ONCE = threading.BoundedSemaphore(2)
#: How long a file waits for its turn (seconds): less than an upload's lease.
_TURN_SECONDS = 10.0

log = get_logger("media")


class Facts(BaseModel):
    """`width` and `height` as shown, `duration` in seconds, for videos only. None: unknown."""

    model_config = ConfigDict(frozen=True)

    width: int | None = Field(None, gt=0, lt=2**31)
    height: int | None = Field(None, gt=0, lt=2**31)
    duration: float | None = Field(None, gt=0, lt=2**31, allow_inf_nan=False)
    codec: str | None = Field(None, max_length=64, pattern=r"^[\w.-]*$")


def read_facts(file: BinaryIO, *, mime: str) -> Facts:
    """Never raises because of the file's content, nor where others keep it waiting for long."""
    if not _AT_ONCE.acquire(timeout=_TURN_SECONDS):
        log.warning("the metadata of a file is not read: too many files at once")
        return Facts()
    try:
        return _read_apart(file, mime=mime)
    finally:
        _AT_ONCE.release()


def read_thumbnail(file: BinaryIO, *, mime: str) -> bytes:
    """A JPEG of its first picture, with at most 320 pixels on a side.

    Raises `Unprocessable` for a file of which none can be made, and `Unavailable` where others keep
    it waiting for long.
    """
    if not _AT_ONCE.acquire(timeout=_TURN_SECONDS):
        raise Unavailable("Too many files are read at once: try again soon")
    try:
        with _reader_of(file, mime=mime, wanted=THUMBNAIL) as reader:
            found = _serve_parts(reader, file, most=_THUMBNAIL)
    except (OSError, EOFError) as error:
        log.warning("a file gives no thumbnail", reason=type(error).__name__)
        found = b""
    finally:
        _AT_ONCE.release()
    if not found.startswith(_JPEG):
        raise Unprocessable(
            "Of this file no thumbnail can be made: it is broken, or too large to decode",
            code="no_thumbnail",
        )
    return found


def _read_apart(file: BinaryIO, *, mime: str) -> Facts:
    with _reader_of(file, mime=mime, wanted=METADATA) as reader:
        try:
            return Facts.model_validate_json(_serve_parts(reader, file, most=_ANSWER))
        except (OSError, EOFError, ValidationError) as error:
            log.warning("the metadata of a file is unreadable", reason=type(error).__name__)
            return Facts()


@contextmanager
def _reader_of(file: BinaryIO, *, mime: str, wanted: str) -> Iterator[socket.socket]:
    """The end of its socket; it is killed at the end, whatever it does."""
    ours, theirs = socket.socketpair()
    program = str(Path(metadata_reader.__file__))
    size = file.seek(0, io.SEEK_END)
    command = [sys.executable, "-I", program, str(theirs.fileno()), mime, str(size), wanted]
    with ours, theirs:
        process = subprocess.Popen(  # noqa: S603 - no word of it is anybody's but ours
            command,
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        try:
            theirs.close()
            yield ours
        finally:
            process.kill()
            process.wait()


def _serve_parts(reader: socket.socket, file: BinaryIO, *, most: int) -> bytes:
    """Answer its requests within the limits, until it says what it found, in `most` bytes.

    Raises `EOFError` if it ended without a word, and `OSError`, also if it took too long.
    """
    until, left = time.monotonic() + _SECONDS, _READ
    while True:
        place, size = REQUEST.unpack(_receive(reader, REQUEST.size, until))
        if place < 0:
            return _receive(reader, min(max(size, 0), most), until)
        file.seek(place)
        data = file.read(max(0, min(size, _PIECE, left)))
        left -= len(data)
        _set_timeout(reader, until)
        reader.sendall(ANSWER.pack(len(data)) + data)


def _receive(reader: socket.socket, length: int, until: float) -> bytes:
    pieces = bytearray()
    while len(pieces) < length:
        _set_timeout(reader, until)
        piece = reader.recv(length - len(pieces))
        if not piece:
            raise EOFError("it ended without a word")
        pieces += piece
    return bytes(pieces)


def _set_timeout(reader: socket.socket, until: float) -> None:
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("it took too long")
    reader.settimeout(seconds)
