"""Expired uploads: those that were not finished in time end, with what has come of them.

What a stopped process leaves behind is removed too: bytes without a row that needs them.
"""

from collections.abc import Collection

from sqlalchemy.orm import Session

from shared.db import after_commit
from shared.errors import Unavailable
from shared.log import get_logger
from shared.uploads import incoming_uploads
from worker.runtime import Runtime

#: How many owners of bytes are looked for at once.
_BATCH = 500

log = get_logger("clean")


def end_expired(runtime: Runtime, session: Session) -> None:
    """First the rows, so that nobody goes on with them, then their bytes."""
    owners = incoming_uploads.end_expired(session)
    after_commit(session, lambda: _remove_bytes(runtime, owners))


def remove_left_bytes(runtime: Runtime) -> int:
    """Remove what no unfinished upload needs; returns of how many uploads it was.

    Raises `StorageAway`.
    """
    owners = list(runtime.storage.pieces.owners())
    number = 0
    for start in range(0, len(owners), _BATCH):
        some = owners[start : start + _BATCH]
        with runtime.database.transaction() as session:
            left = set(some) - incoming_uploads.find_open_owners(session, some)
        _remove_bytes(runtime, left)
        number += len(left)
    return number


def _remove_bytes(runtime: Runtime, owners: Collection[str]) -> None:
    """If the storage is away, the hourly cleaning does it."""
    try:
        for owner in owners:
            runtime.storage.pieces.remove_all(owner)
    except Unavailable as error:
        log.warning("bytes of ended uploads are left", reason=error.message)
