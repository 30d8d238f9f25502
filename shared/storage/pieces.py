"""Pieces: what has come of files that arrive over several requests, until they are whole.

A piece is written once and never changed, under a name that nobody else gives. So a process that
goes on writing after another one took over harms nothing: its pieces are in no list of anybody.
"""

from collections.abc import Iterator
from typing import Protocol

#: Bytes of a piece; the last one of a file may have fewer.
PIECE = 4 * 1024**2
#: Where they are: no id of a profile begins so.
PIECES = "_partial"


class Pieces(Protocol):
    """`owner`: the id of the upload whose pieces they are.

    Raises `StorageFull` or `StorageAway`.
    """

    def put(self, owner: str, name: str, content: bytes) -> None:
        """It is durable when this returns."""

    def read(self, owner: str, name: str) -> bytes:
        """Raises `FileMissing`."""

    def remove(self, owner: str, name: str) -> None: ...

    def remove_all(self, owner: str) -> None:
        """Everything of this owner; no error if there is nothing."""

    def owners(self) -> Iterator[str]:
        """Whoever has anything here, in any order."""
