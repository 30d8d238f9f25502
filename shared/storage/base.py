"""Where uploaded files lie: what a storage does, whichever it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from shared.errors import FileMissing, PressroomError

#: What nobody has written to for so long is not being received any more.
ABANDONED_SECONDS = 3600.0


class Incoming(Protocol):
    """A file on its way in; leaving the `with` block discards it unless it was kept.

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
        """Bring what was written to where it lasts."""

    def read_back(self) -> BinaryIO:
        """What was written, open for reading; to be closed by the caller."""

    def prepare(self, key: str) -> None:
        """What of `keep` may take long, to be done before anything is locked.

        What is never kept then goes with the files that have no row.
        """

    def keep(self, key: str) -> None:
        """Give the file its place; a file that is there already has the same content."""

    def discard(self) -> None:
        """Never raises: what a storage that is away keeps goes with the abandoned."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    key: str
    modified_at: datetime


class Storage(Protocol):
    """Raises `StorageAway` where it cannot be reached, or refuses us."""

    def receive(self) -> Incoming: ...

    def open(self, key: str) -> BinaryIO:
        """To be read once, from its beginning; seeking may be slow. Raises `FileMissing`."""

    def size(self, key: str) -> int:
        """In bytes. Raises as `open` does."""

    def exists(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """Whether or not it is there."""

    def stored(self) -> Iterator[Stored]:
        """Every whole file, in any order; nothing of what is still on its way in."""

    def remove_abandoned(self, *, idle_seconds: float = ABANDONED_SECONDS) -> None:
        """Delete what a process that was killed had begun to receive."""


def key_of(profile_id: str, sha256: str) -> str:
    """Each profile has its own files, so that deleting one leaves the others' alone."""
    return f"{profile_id}/{sha256[:2]}/{sha256}"


def missing_file_error(key: str) -> FileMissing:
    return FileMissing(f"The file {key} is no longer in the storage. Upload it again")


def require_key(key: str) -> str:
    """Raise for what would lead out of the storage."""
    if key.startswith("/") or ".." in key.split("/"):
        raise PressroomError(f"{key!r} is no storage key", code="bad_storage_key")
    return key
