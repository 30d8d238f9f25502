"""The lock of a file's key: its holder may put the file into its place, or remove it.

A file and its rows are in two systems, and the lock makes their changes one. A file that a request
is about to refer to is not deleted; a file that is being deleted is stored again by the next
request.
"""

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from shared.db import Database
from shared.models import Media
from shared.storage.base import Storage

_SPACE = 12  # the number space of these locks; idempotency keys have another


def lock_key(session: Session, key: str) -> None:
    """Held until the transaction ends. Take it before any row of that key is locked or written."""
    number = func.hashtextextended(key, _SPACE)
    session.execute(select(func.pg_advisory_xact_lock(number)))


def remove_unreferenced(database: Database, storage: Storage, key: str) -> bool:
    """Delete a file unless a row still refers to it. Returns whether it was deleted."""
    with database.transaction() as session:
        lock_key(session, key)
        return remove_locked(session, storage, key)


def remove_locked(session: Session, storage: Storage, key: str) -> bool:
    """The same, under a lock that the caller holds."""
    needed = exists().where(Media.storage_key == key, Media.removed_at.is_(None))
    if session.scalar(select(needed)):
        return False
    storage.delete(key)
    return True
