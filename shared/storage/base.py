"""Where uploaded files are kept: the interface of every storage."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from shared.errors import FileMissing, PressroomError
from shared.storage.pieces import Pieces

#: An incoming file that was not written to for this long is abandoned.
ABANDONED_SECONDS = 3600.0


class Incoming(Protocol):
    """An incoming file; leaving the `with` block discards it unless it was kept.

    Each step may raise `StorageFull` or `StorageAway`.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def write(self, data: bytes) -> None: ...

    def finish(self) -> None:
        """Make what was written durable."""

    def read_back(self) -> BinaryIO:
        """What was written, open for reading; the caller closes it."""

    def prepare(self, key: str) -> None:
        """Do the slow part of `keep` in advance, before anything is locked.

        If the file is then never kept, it is removed with the files that have no row.
        """

    def keep(self, key: str) -> None:
        """Move the file to its place; a file that is there already has the same content."""

    def discard(self) -> None:
        """Never raises: if the storage is away, the rest is removed with the abandoned files."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    key: str
    modified_at: datetime


@dataclass(frozen=True, kw_only=True)
class DirectPart:
    """`url`: takes one PUT with exactly `size` bytes."""

    number: int
    size: int
    url: str


class DirectUploads(Protocol):
    """Files that clients send straight into the storage, in parts, to addresses that we sign.

    `owner`: the id of the upload. What is left of it, `Pieces.remove_all` removes. Raises
    `StorageFull` or `StorageAway`.
    """

    def begin(self, owner: str) -> str:
        """The storage's own id of the upload."""

    def sign_parts(
        self, owner: str, remote_id: str, size: int, seconds: int
    ) -> Sequence[DirectPart]:
        """`size`: of the whole file. Nobody is asked; the addresses end after `seconds`."""

    def complete(self, owner: str, remote_id: str, size: int) -> Incoming:
        """The file, to which nothing more is written. It may be asked for again.

        Raises `Conflict` while parts are missing, and `FileMissing` if the storage dropped it.
        """


class Storage(Protocol):
    """Raises `StorageAway` if it cannot be reached, or refuses us.

    `direct`: None where clients cannot send files straight into it.
    """

    @property
    def pieces(self) -> Pieces: ...

    @property
    def direct(self) -> DirectUploads | None: ...

    def receive(self) -> Incoming: ...

    def open(self, key: str) -> BinaryIO:
        """To be read once, from the start; seeking may be slow. Raises `FileMissing`."""

    def size(self, key: str) -> int:
        """In bytes. Raises the same errors as `open`."""

    def exists(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """No error if the file is not there."""

    def stored(self) -> Iterator[Stored]:
        """Every complete file, in any order; no incoming ones."""

    def remove_abandoned(self, *, idle_seconds: float = ABANDONED_SECONDS) -> None:
        """Delete incoming files of processes that were killed."""


def key_of(profile_id: str, sha256: str) -> str:
    """Each profile has its own files, so deleting one profile's files does not affect others."""
    return f"{profile_id}/{sha256[:2]}/{sha256}"


def missing_file_error(key: str) -> FileMissing:
    return FileMissing(f"The file {key} is no longer in the storage. Upload it again")


def require_key(key: str) -> str:
    """Raise for a key that would lead out of the storage."""
    if key.startswith("/") or ".." in key.split("/"):
        raise PressroomError(f"{key!r} is not a storage key", code="bad_storage_key")
    return key
