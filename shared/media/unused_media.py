"""Unused media: removes files that nothing has needed for the retention time.

First the row is marked, under a lock that a request which uses the medium also takes. Then the file
is deleted, under the lock of its key. The row stays as long as a job shows it.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles, load_visible
from shared.db import Database
from shared.errors import Conflict, Unavailable
from shared.log import get_logger
from shared.media import media_use
from shared.media.thumbnails import thumbnail_key
from shared.models import AccountMedia, JobMedia, Media
from shared.storage import file_lock
from shared.storage.base import Storage

BATCH = 200

log = get_logger("media")


def mark_removed(session: Session, days: float) -> int:
    """Mark media as removed that were not used for `days`, and media still needed as used now.

    Returns how many media were checked.
    """
    old = Media.used_at < func.now() - timedelta(days=days)
    query = select(Media.id).where(Media.removed_at.is_(None), old).order_by(Media.used_at)
    # media that a request is using are locked, and skipped
    found = session.scalars(query.limit(BATCH).with_for_update(skip_locked=True)).all()
    needed = media_use.find_needed_ids(session, found)
    unused = [media_id for media_id in found if media_id not in needed]
    session.execute(update(Media).where(Media.id.in_(needed)).values(used_at=func.now()))
    session.execute(update(Media).where(Media.id.in_(unused)).values(removed_at=func.now()))
    return len(found)


def remove_medium(session: Session, media_id: str, visible: VisibleProfiles) -> str | None:
    """Mark it as removed; its file's key, which is to be removed after the commit.

    Raises `NotFound`, and `Conflict` while something needs it.
    """
    present = Media.removed_at.is_(None)
    row = load_visible(session, Media, media_id, visible, also=[present])
    # a full lock: a request that is about to use it waits, or is waited for
    locked = select(Media.id).where(Media.id == row.id, present).with_for_update()
    if session.scalar(locked) is None or media_use.is_needed(session, row):
        raise Conflict(
            f"The medium {media_id} is needed: by a post, an upload or a schedule that is not over",
            code="media_in_use",
        )
    row.removed_at = func.now()
    return row.storage_key


def removed_keys(session: Session, but: Collection[str] = ()) -> Sequence[str]:
    """Keys of files that are to be deleted, without those in `but`."""
    going = select(Media.storage_key).where(
        Media.removed_at.is_not(None),
        Media.storage_key.is_not(None),
        Media.storage_key.not_in(but),
    )
    return [key for key in session.scalars(going.order_by(Media.removed_at).limit(BATCH)) if key]


def put_last(session: Session, keys: Collection[str]) -> None:
    """Move files that could not be removed to the end of the queue."""
    postponed = update(Media).where(Media.storage_key.in_(keys), Media.removed_at.is_not(None))
    session.execute(postponed.values(removed_at=func.now()))


def remove_file(database: Database, storage: Storage, key: str) -> None:
    """Delete the file unless another medium has the same file, or it was uploaded again."""
    with database.transaction() as session:
        file_lock.lock_key(session, key)
        rows = select(Media.id).where(Media.storage_key == key, Media.removed_at.is_not(None))
        removed = session.scalars(rows.with_for_update()).all()
        if removed and file_lock.remove_locked(session, storage, key):
            storage.delete(thumbnail_key(key))
        session.execute(update(Media).where(Media.id.in_(removed)).values(storage_key=None))
        drop_rows(session, removed)


def remove_file_or_leave(database: Database, storage: Storage, key: str) -> None:
    """The same; if the storage is away, the hourly cleaning does it."""
    try:
        remove_file(database, storage, key)
    except Unavailable as error:
        log.warning("the file of a deleted medium is left", reason=error.message)


def drop_rows(session: Session, ids: Collection[int]) -> None:
    """Delete the rows of those media that are removed and that no job shows."""
    shown = exists().where(
        AccountMedia.media_id == Media.id, JobMedia.account_media_id == AccountMedia.id
    )
    query = select(Media.id).where(
        Media.id.in_(ids), Media.removed_at.is_not(None), Media.storage_key.is_(None), ~shown
    )
    gone = session.scalars(query.with_for_update(skip_locked=True)).all()
    session.execute(delete(AccountMedia).where(AccountMedia.media_id.in_(gone)))
    session.execute(delete(Media).where(Media.id.in_(gone)))
