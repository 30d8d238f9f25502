"""Unused media: removes files that nothing has needed for the retention time.

First the row is marked, under a lock that a request which uses the medium also takes. Then the file
is deleted, under the lock of its key. The row stays as long as a job shows it.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import BigInteger, ColumnElement, Select, delete, exists, func, select, update
from sqlalchemy.orm import Session

from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.models import AccountMedia, JobMedia, Media, Post, Schedule
from shared.storage import file_lock
from shared.storage.base import Storage

BATCH = 200
#: Posts that need their media; each condition has its own index. A tracked post may be retried.
_NEEDING: Sequence[ColumnElement[bool]] = (
    Post.state == PostState.PENDING,
    Post.state == PostState.WAITING_APPROVAL,
    Post.state == PostState.HELD,
    Post.state == PostState.STAGED,
    Post.state.in_(
        (PostState.STAGING, PostState.RELEASING, PostState.CANCELLING, PostState.RESCHEDULING)
    ),
    Post.state == PostState.FAILED,
    Post.track_at.is_not(None),
)


def mark_removed(session: Session, days: float) -> int:
    """Mark media as removed that were not used for `days`, and media still needed as used now.

    Returns how many media were checked.
    """
    old = Media.used_at < func.now() - timedelta(days=days)
    query = select(Media.id).where(Media.removed_at.is_(None), old).order_by(Media.used_at)
    # media that a request is using are locked, and skipped
    found = session.scalars(query.limit(BATCH).with_for_update(skip_locked=True)).all()
    needed = find_needed_ids(session, found)
    unused = [media_id for media_id in found if media_id not in needed]
    session.execute(update(Media).where(Media.id.in_(needed)).values(used_at=func.now()))
    session.execute(update(Media).where(Media.id.in_(unused)).values(removed_at=func.now()))
    return len(found)


def find_needed_ids(session: Session, ids: Collection[int]) -> set[int]:
    """The ids among `ids` that unfinished posts, uploads or schedules need."""
    if not ids:
        return set()
    return {
        media_id
        for query in _needed_media_queries(list(ids))
        for media_id in session.scalars(query)
    } & set(ids)


def _needed_media_queries(ids: list[int]) -> list[Select[int]]:
    used = select(func.unnest(Post.media_ids)).where(Post.media_ids.overlap(ids))
    uploads = select(AccountMedia.media_id).where(
        AccountMedia.media_id.in_(ids), AccountMedia.state.in_(("pending", "uploading"))
    )
    edits = select(func.jsonb_array_elements_text(Post.edit["media_ids"]).cast(BigInteger)).where(
        Post.edit.is_not(None)
    )
    playing = select(func.unnest(Schedule.media_ids)).where(Schedule.media_ids.overlap(ids))
    return [uploads, edits, playing, *(used.where(needing) for needing in _NEEDING)]


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
        if removed:
            file_lock.remove_locked(session, storage, key)
        session.execute(update(Media).where(Media.id.in_(removed)).values(storage_key=None))
        drop_rows(session, removed)


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
