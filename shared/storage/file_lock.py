"""Who may put a file to its place, or take it from there: whoever holds the lock of its key.

A file and its rows change in two systems. The lock makes one of it: what a request is about to
refer to is not deleted under it, and what is being deleted is put back by who comes next.
"""

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from shared.db import Database
from shared.models import Media
from shared.storage.base import Storage

_SPACE = 12  # of the locks of keys; idempotency keys have another


def lock_key(session: Session, key: str) -> None:
    """Until the transaction ends. To be taken before any row of that key is locked or written."""
    number = func.hashtextextended(key, _SPACE)
    session.execute(select(func.pg_advisory_xact_lock(number)))


def remove_unreferenced(database: Database, storage: Storage, key: str) -> bool:
    """Delete a file, unless a row refers to it that is not removed; whether it is gone."""
    with database.transaction() as session:
        lock_key(session, key)
        return remove_locked(session, storage, key)


def remove_locked(session: Session, storage: Storage, key: str) -> bool:
    """The same under a lock that the caller holds."""
    needed = exists().where(Media.storage_key == key, Media.removed_at.is_(None))
    if session.scalar(select(needed)):
        return False
    storage.delete(key)
    return True
