"""Translates the errors of a folder into our own, and makes what changed in it durable."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import StorageAway, StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def folder_errors() -> Iterator[None]:
    """Raises `StorageFull`, `StorageAway`, or `FileNotFoundError` as it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull("The disk for media is full", retry_after=60) from error
        raise StorageAway(f"The storage failed: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """A new name is durable only once its folder is written to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
