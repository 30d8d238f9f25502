"""Makes a medium of an upload whose bytes are all here, as `POST /postiz/upload` makes one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from shared.errors import (
    FieldError,
    InvalidRequest,
    TooLarge,
    Unavailable,
    Unprocessable,
    UnsupportedMedia,
)
from shared.log import get_logger
from shared.media.ingest import Received, Receiver
from shared.storage.base import Incoming
from shared.uploads import incoming_uploads
from shared.uploads.claim_renewal import ClaimRenewal
from shared.uploads.incoming_uploads import ClaimedUpload
from web.request_parsing import upload_items
from web.services import current_services

#: Errors that say that this file never becomes a medium, however often it is sent.
_REFUSALS = (UnsupportedMedia, TooLarge, InvalidRequest, Unprocessable)

log = get_logger("uploads")


def finish_upload(claimed: ClaimedUpload, incoming: Incoming, content: Iterable[bytes]) -> None:
    """`incoming`: where `content`, which is the whole file, is received; the caller leaves it.

    Raises `ClaimLost`, and for a file that is refused its refusal: then the upload is ended.
    """
    with ending_if_refused(claimed):
        received = _receive_file(claimed, incoming, content)
    item = upload_items.received_item(claimed.profile_id, 0, received, claimed.external_id)
    ours = current_services()
    with ours.database.transaction() as session:
        incoming_uploads.mark_finished(session, claimed, ours.settings)
        job, waiting, [shown] = upload_items.accept_items(
            session, claimed.profile_id, [item], kind="upload"
        )
        assert shown.media is not None  # a refused file raises before
        incoming_uploads.record_medium(session, claimed, int(shown.media.id), job.id)
    ours.waker.uploads(waiting)
    remove_bytes(claimed.owner)


@contextmanager
def ending_if_refused(claimed: ClaimedUpload) -> Iterator[None]:
    """What Postiz would refuse is refused for good: its row and bytes go."""
    try:
        yield
    except _REFUSALS:
        with current_services().database.transaction() as session:
            incoming_uploads.end_claimed(session, claimed)
        remove_bytes(claimed.owner)
        raise


def remove_bytes(owner: str) -> None:
    """Of an upload that has ended; what cannot be removed now, the hourly cleaning removes."""
    try:
        current_services().storage.pieces.remove_all(owner)
    except Unavailable as error:
        log.warning("bytes of an upload are left", upload=owner, reason=error.message)


def read_pieces(claimed: ClaimedUpload, names: Iterable[str]) -> Iterator[bytes]:
    pieces = current_services().storage.pieces
    return (pieces.read(claimed.owner, name) for name in names)


def _receive_file(claimed: ClaimedUpload, incoming: Incoming, content: Iterable[bytes]) -> Received:
    receiver = Receiver(incoming, claimed.name)
    renewal = ClaimRenewal(current_services().database, claimed)
    for piece in content:
        receiver.write(piece)
        renewal.renew_if_due()
    received = receiver.finish()
    declared = {"size": claimed.size, "sha256": claimed.sha256, "mime": claimed.mime}
    faults = [
        FieldError(field=name, message=f"declared as {value}, and is {getattr(received, name)}")
        for name, value in declared.items()
        if value is not None and value != getattr(received, name)
    ]
    if faults:
        raise Unprocessable(
            "The file is not what was declared", code="content_mismatch", fields=faults
        )
    return received
