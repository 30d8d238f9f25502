"""Writes the bytes of an upload as they come: in pieces, each durable before it is recorded."""

import secrets

from shared.db import Database
from shared.domain.networks.media_types import HEAD_BYTES, detect_file_type, size_limit_message
from shared.errors import TooLarge
from shared.storage.pieces import PIECE, Pieces
from shared.uploads import incoming_uploads
from shared.uploads.claim_renewal import ClaimRenewal
from shared.uploads.incoming_uploads import ClaimedUpload


class PieceWriter:
    """Goes on where the upload stands. A last piece that is short is written anew, with more.

    `at_once`: each whole piece is recorded as soon as it is there; else nothing before `record`,
    which ends the writing.
    `received`: bytes of the upload that are in pieces, whose names are `names`, recorded or not.
    """

    def __init__(
        self, database: Database, pieces: Pieces, claimed: ClaimedUpload, *, at_once: bool
    ) -> None:
        self._database = database
        self._pieces = pieces
        self._claimed = claimed
        self._at_once = at_once
        self.names = list(claimed.pieces)
        self._outdated: str | None = None
        self._buffer = bytearray()
        self._begun = False
        self._unrecorded: list[str] = []
        self._is_head_due = claimed.received < HEAD_BYTES
        self._renewal = ClaimRenewal(database, claimed)
        self.received = claimed.received

    def write(self, data: bytes) -> None:
        """Raises `ClaimLost`; `UnsupportedMedia` or `TooLarge` for what Postiz would refuse."""
        if self._claimed.received == self._claimed.size:
            return  # the last byte once more: see `told_offset`
        if not self._begun:
            self._load_last_piece()
        self._buffer += data
        if self._is_head_due and len(self._buffer) >= HEAD_BYTES:
            self._check_head()
        while len(self._buffer) >= PIECE:
            with memoryview(self._buffer) as held:
                piece = bytes(held[:PIECE])
            del self._buffer[:PIECE]
            self._put_piece(piece)
            if self._at_once:
                self._record_pieces()
        self._renewal.renew_if_due()  # a slow client takes longer for a piece

    def record(self) -> None:
        """Whatever was written is durable when this returns, and told. Raises `ClaimLost`."""
        if self._buffer:
            rest = bytes(self._buffer)
            self._buffer.clear()
            self._put_piece(rest)
        self._record_pieces()

    def _record_pieces(self) -> None:
        with self._database.transaction() as session:
            incoming_uploads.record_pieces(session, self._claimed, self.names, self.received)
        self._unrecorded.clear()
        self._renewal.note_written()
        if self._outdated is not None:
            outdated, self._outdated = self._outdated, None
            self._pieces.remove(self._claimed.owner, outdated)

    def discard(self) -> None:
        """Remove what was not recorded: nobody else knows of it."""
        for name in self._unrecorded:
            self._pieces.remove(self._claimed.owner, name)
        self._unrecorded.clear()

    def _load_last_piece(self) -> None:
        self._begun = True
        if self._claimed.received % PIECE:
            self._outdated = self.names.pop()
            self._buffer += self._pieces.read(self._claimed.owner, self._outdated)
            self.received -= len(self._buffer)

    def _check_head(self) -> None:
        self._is_head_due = False
        kind = detect_file_type(bytes(self._buffer[:HEAD_BYTES]))
        if self._claimed.size > kind.limit:
            raise TooLarge(size_limit_message(kind))

    def _put_piece(self, content: bytes) -> None:
        name = secrets.token_hex(16)
        self._unrecorded.append(name)
        self._pieces.put(self._claimed.owner, name, content)
        self.names.append(name)
        self.received += len(content)
