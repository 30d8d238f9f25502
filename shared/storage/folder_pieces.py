"""Pieces of files in the folder that web and workers share."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from shared.storage.base import missing_file_error
from shared.storage.folder_errors import folder_errors, sync_folder
from shared.storage.pieces import PIECES


class FolderPieces:
    """In `root/_partial/OWNER/NAME`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / PIECES

    def put(self, owner: str, name: str, content: bytes) -> None:
        folder = self._folder / owner
        with folder_errors():
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                sync_folder(self._folder.parent)
                sync_folder(self._folder)
            with (folder / name).open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(folder)

    def read(self, owner: str, name: str) -> bytes:
        try:
            with folder_errors():
                return (self._folder / owner / name).read_bytes()
        except FileNotFoundError as error:
            raise missing_file_error(f"{owner}/{name}") from error

    def remove(self, owner: str, name: str) -> None:
        with folder_errors():
            (self._folder / owner / name).unlink(missing_ok=True)

    def remove_all(self, owner: str) -> None:
        with folder_errors(), suppress(FileNotFoundError):
            shutil.rmtree(self._folder / owner)

    def owners(self) -> Iterator[str]:
        with folder_errors(), suppress(FileNotFoundError):
            yield from (path.name for path in self._folder.iterdir())
