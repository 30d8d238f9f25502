"""The rows of uploads over several requests: made, found, claimed by one request at a time, ended.

A request that writes claims its upload for as long as its process lives and bytes come (a lease of
`LEASE_SECONDS`), and each of its writes names the claim. So when the process is killed, the next
request goes on at once; and where two write all the same, the first one's claim is no more, and
what it wrote is in no list of pieces.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, delete, func, or_, select, update
from sqlalchemy.orm import Session

from shared import quotas
from shared.access.visible_profiles import VisibleProfiles, load_visible
from shared.config import Settings
from shared.db import read_clock
from shared.errors import ClaimLost, Gone, UploadBusy
from shared.models import IncomingUpload
from shared.quotas import Quota
from shared.uploads import process_lock

RESUMABLE, DIRECT = "resumable", "direct"
#: How long a claim is valid while no bytes come (seconds).
LEASE_SECONDS = 10.0
#: The number of the lock that transactions share whose rows follow the bytes.
_ANNOUNCED = 7_215_338_029_661_402
#: How many expired uploads one round ends.
BATCH = 50


@dataclass(frozen=True, kw_only=True)
class ClaimedUpload:
    """What the holder of the claim knows of it."""

    id: int
    claim: int
    owner: str
    profile_id: str
    size: int
    received: int
    pieces: tuple[str, ...]
    name: str | None
    external_id: str | None
    sha256: str | None
    mime: str | None
    remote_id: str | None

    @property
    def told(self) -> int:
        return told_offset(self.received, self.size, is_finished=False)


def told_offset(received: int, size: int, *, is_finished: bool) -> int:
    """The offset that clients are told.

    Whoever is told the last byte is sure that there is a medium: until then it is the byte before,
    so a client sends the last byte again, and with it asks to have the upload finished.
    """
    return size if is_finished else min(received, size - 1)


def new_owner() -> str:
    """A name for the bytes of an upload that no other has."""
    return secrets.token_hex(16)


def add_upload(session: Session, settings: Settings, upload: IncomingUpload) -> IncomingUpload:
    """Raises `QuotaExceeded`."""
    upload.expires_at = read_clock(session) + timedelta(seconds=settings.upload_expiry_seconds)
    session.add(upload)
    session.flush()
    for quota in (Quota.OPEN_UPLOADS, Quota.MEDIA_BYTES):
        quotas.require_room(session, upload.profile_id, quota, settings)
    return upload


def load_upload(
    session: Session, upload_id: str, visible: VisibleProfiles, kind: str, *, lock: bool = False
) -> IncomingUpload:
    """Raises `NotFound`, and `Gone` if its time is over."""
    also = [IncomingUpload.kind == kind]
    row = load_visible(session, IncomingUpload, upload_id, visible, lock=lock, also=also)
    if row.expires_at <= read_clock(session):
        raise Gone(f"The upload {upload_id} was not finished in time: begin a new one")
    return row


def claim_upload(session: Session, row: IncomingUpload, holder: int) -> ClaimedUpload:
    """Of a locked row that is not finished. `holder`: the lock of this process.

    Raises `UploadBusy` while another request has it.
    """
    if _is_held(session, row):
        raise UploadBusy(
            "Another request is sending to this upload: ask for its offset when that has ended",
            retry_after=int(LEASE_SECONDS),
        )
    row.claim, row.holder = secrets.randbits(62), holder
    row.lease_until = _lease_end()
    session.flush()
    names = [name for name in ClaimedUpload.__dataclass_fields__ if name != "pieces"]
    return ClaimedUpload(pieces=tuple(row.pieces), **{name: getattr(row, name) for name in names})


def _is_held(session: Session, row: IncomingUpload) -> bool:
    if row.lease_until is None or row.lease_until <= read_clock(session):
        return False
    return row.holder is None or process_lock.is_alive(session, row.holder)


def renew_claim(session: Session, claimed: ClaimedUpload) -> None:
    """Raises `ClaimLost`."""
    _update_claimed(session, claimed, lease_until=_lease_end())


def record_pieces(
    session: Session, claimed: ClaimedUpload, pieces: Sequence[str], received: int
) -> None:
    """What is durable from here on. Raises `ClaimLost`."""
    values = {"pieces": list(pieces), "received": received}
    _update_claimed(session, claimed, lease_until=_lease_end(), **values)


def release_claim(session: Session, claimed: ClaimedUpload) -> None:
    """So that the next request need not wait; no error if another one has it by now."""
    session.execute(_claimed_update(claimed).values(lease_until=None))


def mark_finished(session: Session, claimed: ClaimedUpload, settings: Settings) -> None:
    """Before its medium is made, in the same transaction. Raises `ClaimLost`."""
    kept_for = timedelta(seconds=settings.upload_expiry_seconds)
    values = {"finished_at": func.now(), "received": claimed.size, "pieces": []}
    values["expires_at"] = func.now() + kept_for
    _update_claimed(session, claimed, lease_until=None, **values)


def record_medium(session: Session, claimed: ClaimedUpload, media_id: int, job_id: int) -> None:
    values = {"media_id": media_id, "job_id": job_id}
    session.execute(update(IncomingUpload).where(IncomingUpload.id == claimed.id).values(values))


def end_claimed(session: Session, claimed: ClaimedUpload) -> None:
    """Delete what cannot become a medium. Its bytes are the caller's to remove."""
    session.execute(delete(IncomingUpload).where(*_is_claimed(claimed)))


def end_upload(session: Session, upload_id: int) -> None:
    """Delete it; whoever sends to it loses the claim. Its bytes are the caller's to remove."""
    session.execute(delete(IncomingUpload).where(IncomingUpload.id == upload_id))


def is_expired() -> tuple[ColumnElement[bool], ...]:
    """Uploads whose time is over, and to which nobody is sending."""
    idle = or_(IncomingUpload.lease_until.is_(None), IncomingUpload.lease_until < func.now())
    return IncomingUpload.expires_at <= func.now(), idle


def end_expired(session: Session) -> Sequence[str]:
    """Delete a batch of expired uploads; their owners, whose bytes are the caller's to remove."""
    query = select(IncomingUpload.id, IncomingUpload.owner).where(*is_expired()).limit(BATCH)
    rows = session.execute(query.with_for_update(skip_locked=True)).all()
    ended = IncomingUpload.id.in_([row.id for row in rows])
    session.execute(delete(IncomingUpload).where(ended))
    return [row.owner for row in rows]


def announce_bytes(session: Session) -> None:
    """Call it before bytes are stored whose row is committed only afterwards."""
    session.execute(select(func.pg_advisory_xact_lock_shared(_ANNOUNCED)))


def find_open_owners(session: Session, owners: Collection[str]) -> set[str]:
    """Those of `owners` whose bytes are still needed. Waits for rows that are announced."""
    session.execute(select(func.pg_advisory_xact_lock(_ANNOUNCED)))
    needed = IncomingUpload.owner.in_(owners), IncomingUpload.finished_at.is_(None)
    return set(session.scalars(select(IncomingUpload.owner).where(*needed)))


def _lease_end() -> ColumnElement[Any]:
    return func.clock_timestamp() + timedelta(seconds=LEASE_SECONDS)


def _is_claimed(claimed: ClaimedUpload) -> tuple[ColumnElement[bool], ...]:
    return (
        IncomingUpload.id == claimed.id,
        IncomingUpload.claim == claimed.claim,
        IncomingUpload.finished_at.is_(None),
    )


def _claimed_update(claimed: ClaimedUpload) -> Any:
    return update(IncomingUpload).where(*_is_claimed(claimed))


def _update_claimed(session: Session, claimed: ClaimedUpload, **values: Any) -> None:
    result = session.execute(_claimed_update(claimed).values(values))
    assert isinstance(result, CursorResult)
    if not result.rowcount:
        raise ClaimLost("This upload was ended, or another request goes on with it")
