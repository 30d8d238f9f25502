"""A file that reports progress of its upload at each read."""

from collections.abc import Callable
from typing import BinaryIO


class HeartbeatFile:
    """Calls `beat` whenever the multipart encoder reads from the file."""

    def __init__(self, file: BinaryIO, size: int, beat: Callable[[], None]) -> None:
        self._file = file
        self._beat = beat
        self.len = size

    def read(self, size: int = -1) -> bytes:
        self._beat()
        piece = self._file.read(size)
        self.len -= len(piece)  # for the encoder, `len` is what is left
        return piece
