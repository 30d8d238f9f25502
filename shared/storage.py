"""Where uploaded files lie: a folder, each file under a key made of its content."""

import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self
from urllib.parse import unquote, urlsplit

from shared.errors import PressroomError, StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT)
ABANDONED_SECONDS = 3600.0


class Incoming(Protocol):
    """A file on its way in; leaving the `with` block discards it unless it was kept."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def write(self, data: bytes) -> None:
        """Raises `StorageFull`."""

    def finish(self) -> None:
        """Bring what was written to the disk. Raises `StorageFull`."""

    def read_back(self) -> BinaryIO:
        """What was written, open for reading; to be closed by the caller."""

    def keep(self, key: str) -> None:
        """Give the file its place; a file that is there already has the same content."""

    def discard(self) -> None: ...


class Storage(Protocol):
    def receive(self) -> Incoming: ...

    def open(self, key: str) -> BinaryIO:
        """Raises `PressroomError` (code `file_missing`) for a key that is not there."""

    def size(self, key: str) -> int:
        """In bytes. Raises as `open` does."""

    def exists(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """Whether or not it is there."""

    def remove_abandoned(self) -> None:
        """Delete what a process that was killed had begun to receive."""


def open_storage(url: str) -> Storage:
    """The storage at `url` (`PRESSROOM_MEDIA_URL`)."""
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path:
        raise PressroomError(
            f"PRESSROOM_MEDIA_URL is {url!r}: it must be a folder, file:///…", code="bad_setting"
        )
    return FolderStorage(Path(unquote(parts.path)))


def key_of(profile_id: str, sha256: str) -> str:
    """Each profile has its own files, so that deleting one leaves the others' alone."""
    return f"{profile_id}/{sha256[:2]}/{sha256}"


class FolderStorage:
    """Files below `root`; what is on its way in lies in `root/incoming`, so on the same disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def receive(self) -> "IncomingFile":
        return IncomingFile(self._root)

    def open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except FileNotFoundError as error:
            raise _missing(key) from error

    def size(self, key: str) -> int:
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError as error:
            raise _missing(key) from error

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def remove_abandoned(self, *, idle_seconds: float = ABANDONED_SECONDS) -> None:
        """Delete what a killed process was receiving: nothing was written to it for so long."""
        for path in (self._root / "incoming").glob("*"):
            with suppress(FileNotFoundError):  # its process, or another's clean-up, was faster
                if time.time() - path.stat().st_mtime > idle_seconds:
                    path.unlink()

    def _path(self, key: str) -> Path:
        return _below(self._root, key)


class IncomingFile:
    def __init__(self, root: Path) -> None:
        self._root = root
        folder = root / "incoming"
        self._path = folder / secrets.token_hex(16)
        with _storage_errors():
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("xb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, data: bytes) -> None:
        with _storage_errors():
            self._file.write(data)

    def finish(self) -> None:
        with _storage_errors():
            self._file.flush()
            os.fsync(self._file.fileno())

    def read_back(self) -> BinaryIO:
        return self._path.open("rb")

    def keep(self, key: str) -> None:
        target = _below(self._root, key)
        with _storage_errors():
            self._file.close()
            target.parent.mkdir(parents=True, exist_ok=True)
            self._path.replace(target)
            _sync_folder(target.parent)

    def discard(self) -> None:
        with suppress(OSError):  # closing writes what is left, which on a full disk fails again
            self._file.close()
        self._path.unlink(missing_ok=True)


def _below(root: Path, key: str) -> Path:
    path = root / key
    if ".." in path.parts or not path.is_relative_to(root):
        raise PressroomError(f"{key!r} is no storage key", code="bad_storage_key")
    return path


def _missing(key: str) -> PressroomError:
    return PressroomError(
        f"The file {key} is no longer in the storage", code="file_missing", hint="Upload it again."
    )


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull("The disk for media is full", retry_after=60) from error
        reason = f"The storage failed: {error.strerror}"
        raise PressroomError(reason, code="storage_failed") from error


def _sync_folder(folder: Path) -> None:
    """A rename is on the disk only once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
