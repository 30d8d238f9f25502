"""The rows of media, and the fetching of media that were given as an address."""

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Boolean, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared import quotas
from shared.config import Settings
from shared.db import Database
from shared.domain.networks.medium import Medium
from shared.errors import InvalidRequest, NotFound
from shared.media.ingest import Received, Receiver
from shared.models import Media
from shared.models.base import is_id
from shared.net.download import read_url
from shared.net.outbound_route import Route
from shared.quotas import Quota
from shared.storage import file_lock
from shared.storage.base import Storage, key_of


def add_file(
    session: Session, storage: Storage, profile_id: str, received: Received
) -> tuple[Media, bool]:
    """The row of a file, and whether the profile had that file already.

    The file gets its place before the caller commits. `received` must be prepared, so that this is
    fast. If the commit fails, the file stays without a row: deleting it could take it from a
    request with the same file that has committed meanwhile.
    """
    key = key_of(profile_id, received.sha256)
    file_lock.lock_key(session, key)
    renewed = {"storage_key": key, "used_at": func.now(), "removed_at": None}
    row = insert(Media).values(profile_id=profile_id, storage_key=key, **_file_columns(received))
    upsert = row.on_conflict_do_update(index_elements=["profile_id", "sha256"], set_=renewed)
    is_new = literal_column("xmax = 0", Boolean)  # an updated row was there before
    media_id, new = session.execute(upsert.returning(Media.id, is_new)).one()
    if not storage.exists(key):
        received.keep(profile_id)
    return session.get_one(Media, media_id, populate_existing=True), not new


def _file_columns(received: Received) -> dict[str, Any]:
    return {
        "sha256": received.sha256,
        "size": received.size,
        "mime": received.mime,
        "name": received.name,
        "width": received.facts.width,
        "height": received.facts.height,
        "duration": received.facts.duration,
        "codec": received.facts.codec,
        "brand": received.brand,
    }


def add_url(session: Session, profile_id: str, url: str) -> Media:
    """The row of a file that a worker will fetch."""
    row = Media(profile_id=profile_id, source_url=url)
    session.add(row)
    session.flush()
    return row


def find_media(session: Session, profile_id: str, ids: Collection[str]) -> dict[str, Medium]:
    """Which of `ids` are media of the profile, by the ids as they were given."""
    numbers = {int(text) for text in ids if is_id(text)}
    if not numbers:
        return {}
    query = select(Media).where(
        Media.profile_id == profile_id, Media.id.in_(numbers), Media.removed_at.is_(None)
    )
    return {str(row.id): _to_medium(row) for row in session.scalars(query)}


def _to_medium(row: Media) -> Medium:
    return Medium(
        id=row.id,
        mime=row.mime,
        size=row.size,
        width=row.width,
        height=row.height,
        duration=row.duration,
    )


def sha256_of(media: Media) -> str | None:
    """The hash, also of a fetched file that shares the stored file of another medium."""
    return media.sha256 or (media.storage_key.rsplit("/", 1)[1] if media.storage_key else None)


def fetch_file(
    database: Database,
    storage: Storage,
    media_id: int,
    *,
    route: Route,
    settings: Settings,
    on_progress: Callable[[], None] = lambda: None,
) -> None:
    """Download a medium that was given as an address; nothing to do if it is stored already.

    `on_progress` is called after each piece, and may raise to stop the fetch. Raises `Transient` if
    it may succeed later; `InvalidRequest`, `UnsupportedMedia` or `TooLarge` if it never will;
    `StorageFull`; `QuotaExceeded`; `NotFound` if the row is gone.
    """
    with database.transaction() as session:
        media = _get_media(session, media_id)
    if media.storage_key is not None:
        return
    if media.source_url is None:
        raise InvalidRequest("The file of this medium was removed. Upload it again")
    with storage.receive() as incoming:
        receiver = Receiver(incoming)
        for piece in read_url(media.source_url, route):
            receiver.write(piece)
            on_progress()
        received = receiver.finish()
        received.prepare(storage, media.profile_id)
        with database.transaction() as session:
            _record_file(session, storage, _get_media(session, media_id), received)
            quotas.require_room(session, media.profile_id, Quota.MEDIA_BYTES, settings)


def _get_media(session: Session, media_id: int) -> Media:
    row = session.get(Media, media_id)
    if row is None:
        raise NotFound(f"There is no medium {media_id}")
    return row


def _record_file(session: Session, storage: Storage, media: Media, received: Received) -> None:
    key = key_of(media.profile_id, received.sha256)
    file_lock.lock_key(session, key)
    if not storage.exists(key):
        received.keep(media.profile_id)
    media.storage_key = key
    media.removed_at = None
    for name, value in _file_columns(received).items():
        if name not in {"sha256", "name"}:
            setattr(media, name, value)
    session.flush()
    try:
        with session.begin_nested():
            media.sha256 = received.sha256
    except IntegrityError:  # another medium of the profile has the same file, and keeps the hash
        session.refresh(media)
