"""Keeps the claim of an upload while a request works on it."""

import time

from shared.db import Database
from shared.uploads import incoming_uploads
from shared.uploads.incoming_uploads import LEASE_SECONDS, ClaimedUpload


class ClaimRenewal:
    """Call `renew_if_due` often: it writes once in a third of a lease."""

    def __init__(self, database: Database, claimed: ClaimedUpload) -> None:
        self._database = database
        self._claimed = claimed
        self.note_written()

    def renew_if_due(self) -> None:
        """Raises `ClaimLost`."""
        if time.monotonic() - self._written_at > LEASE_SECONDS / 3:
            with self._database.transaction() as session:
                incoming_uploads.renew_claim(session, self._claimed)
            self.note_written()

    def note_written(self) -> None:
        """The lease was lengthened by another write."""
        self._written_at = time.monotonic()
