"""The storage in a folder that web and workers share."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Self

from shared.storage.base import ABANDONED_SECONDS, Stored, missing_file_error, require_key
from shared.storage.folder_errors import folder_errors, sync_folder
from shared.storage.folder_pieces import FolderPieces

_INCOMING = "incoming"


class FolderStorage:
    """Files below `root`; incoming files are in `root/incoming`, so on the same disk."""

    direct = None

    def __init__(self, root: Path) -> None:
        self._root = root
        self.pieces = FolderPieces(root)

    def receive(self) -> "IncomingFile":
        return IncomingFile(self._root)

    def open(self, key: str) -> BinaryIO:
        try:
            with folder_errors():
                return self._path_of(key).open("rb")
        except FileNotFoundError as error:
            raise missing_file_error(key) from error

    def size(self, key: str) -> int:
        try:
            with folder_errors():
                return self._path_of(key).stat().st_size
        except FileNotFoundError as error:
            raise missing_file_error(key) from error

    def exists(self, key: str) -> bool:
        return self._path_of(key).is_file()

    def delete(self, key: str) -> None:
        with folder_errors():
            self._path_of(key).unlink(missing_ok=True)

    def stored(self) -> Iterator[Stored]:
        for path in self._root.glob("*/??/*"):
            with suppress(FileNotFoundError):  # it was deleted meanwhile
                at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                yield Stored(key=path.relative_to(self._root).as_posix(), modified_at=at)

    def remove_abandoned(self, *, idle_seconds: float = ABANDONED_SECONDS) -> None:
        """An incoming file is abandoned if it was not written to for `idle_seconds`."""
        for path in (self._root / _INCOMING).glob("*"):
            with suppress(FileNotFoundError):  # its process, or another clean-up, was faster
                if time.time() - path.stat().st_mtime > idle_seconds:
                    path.unlink()

    def _path_of(self, key: str) -> Path:
        return self._root / require_key(key)


class IncomingFile:
    def __init__(self, root: Path) -> None:
        self._root = root
        folder = root / _INCOMING
        self._path = folder / secrets.token_hex(16)
        with folder_errors():
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("xb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, data: bytes) -> None:
        with folder_errors():
            self._file.write(data)

    def finish(self) -> None:
        with folder_errors():
            self._file.flush()
            os.fsync(self._file.fileno())

    def read_back(self) -> BinaryIO:
        return self._path.open("rb")

    def prepare(self, key: str) -> None:
        """Nothing to do: a file gets to its place by a rename."""

    def keep(self, key: str) -> None:
        target = self._root / require_key(key)
        with folder_errors():
            self._file.close()
            target.parent.mkdir(parents=True, exist_ok=True)
            self._path.replace(target)
            sync_folder(target.parent)

    def discard(self) -> None:
        with suppress(OSError):  # closing writes the rest, which fails again on a full disk
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
