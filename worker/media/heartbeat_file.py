"""A file that shows with each read that its upload goes on."""

from collections.abc import Callable
from typing import BinaryIO


class HeartbeatFile:
    """A file that calls `beat` at each read, as the encoder of the upload reads it."""

    def __init__(self, file: BinaryIO, size: int, beat: Callable[[], None]) -> None:
        self._file = file
        self._beat = beat
        self.len = size

    def read(self, size: int = -1) -> bytes:
        self._beat()
        piece = self._file.read(size)
        self.len -= len(piece)  # the encoder takes `len` for what is left
        return piece
