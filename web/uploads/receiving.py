"""Receives the bytes of a request into a resumable upload, and finishes it with the last one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask import request
from werkzeug.exceptions import HTTPException

from shared.errors import Conflict, InvalidRequest, TooLarge
from shared.uploads import incoming_uploads
from shared.uploads.incoming_uploads import RESUMABLE, ClaimedUpload, told_offset
from shared.uploads.piece_writer import PieceWriter
from web.auth import current_caller
from web.paced_socket import PIECE as READ_AT_ONCE
from web.services import current_services
from web.uploads import finishing
from web.uploads.tus_headers import Checksum


def has_body() -> bool:
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def receive_bytes(upload_id: str, offset: int, checksum: Checksum | None) -> None:
    """All bytes of this request, at `offset` of the upload.

    If the line breaks, what came is kept, but not where a checksum came with it. Raises `NotFound`,
    `Gone`, `UploadBusy`, `Conflict` for another offset than was told, `TooLarge`,
    `ChecksumMismatch`, `ClaimLost`, `Unavailable`; and as `finishing.finish_upload`.
    """
    ours = current_services()
    with ours.uploads.place(current_caller().holder):
        claimed = _claim_upload(upload_id, offset)
        if claimed is None:
            return
        with releasing_claim(claimed):
            pieces = _store_bytes(claimed, checksum)
            if pieces is not None:
                with ours.storage.receive() as incoming:
                    content = finishing.read_pieces(claimed, pieces)
                    finishing.finish_upload(claimed, incoming, content)


def _claim_upload(upload_id: str, offset: int) -> ClaimedUpload | None:
    """None if it is a medium already, so that nothing is left to do."""
    holder = current_services().process_lock.hold()
    with current_services().database.transaction() as session:
        visible = current_caller().visible
        row = incoming_uploads.load_upload(session, upload_id, visible, RESUMABLE, lock=True)
        is_finished = row.finished_at is not None
        claimed = None if is_finished else incoming_uploads.claim_upload(session, row, holder)
        told = told_offset(row.received, row.size, is_finished=is_finished)
        if offset != told:
            raise Conflict(f"The upload goes on at {told}, not at {offset}", code="wrong_offset")
        if (request.content_length or 0) > row.size - offset:
            raise _too_long()
        return claimed


@contextmanager
def releasing_claim(claimed: ClaimedUpload) -> Iterator[None]:
    try:
        yield
    finally:
        with current_services().database.transaction() as session:
            incoming_uploads.release_claim(session, claimed)


def _store_bytes(claimed: ClaimedUpload, checksum: Checksum | None) -> Sequence[str] | None:
    """The names of its pieces if all of it is here now."""
    ours = current_services()
    at_once = checksum is None
    writer = PieceWriter(ours.database, ours.storage.pieces, claimed, at_once=at_once)
    try:
        for data in _read_body(claimed.size - claimed.told):
            if checksum is not None:
                checksum.update(data)
            with finishing.ending_if_refused(claimed):
                writer.write(data)
        if checksum is not None:
            checksum.verify()
        writer.record()
    except InvalidRequest:  # the line broke
        if at_once:
            writer.record()
        raise
    finally:
        writer.discard()
    return writer.names if writer.received == claimed.size else None


def _read_body(room: int) -> Iterator[bytes]:
    """Raises `InvalidRequest` if it ends too early, and `TooLarge` past `room` bytes."""
    request.max_content_length = None  # an upload has a limit of its own
    missing = request.content_length or 0
    try:
        while data := request.stream.read(READ_AT_ONCE):
            room -= len(data)
            missing -= len(data)
            if room < 0:
                raise _too_long()
            yield data
    except (OSError, HTTPException) as error:
        raise _broken_body() from error
    if missing > 0:
        raise _broken_body()


def _broken_body() -> InvalidRequest:
    return InvalidRequest("The body ended too early", code="broken_body")


def _too_long() -> TooLarge:
    return TooLarge("The body goes past the length that the upload was created with")
