"""What a request for many posts has edited by now: repeated, it goes on and moves no post twice.

Only of a request with an idempotency key, and only until it is answered: the answer is kept then.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Delete, delete, insert, select
from sqlalchemy.orm import Session

from shared.errors import Conflict
from shared.models import IdempotencyKey, RequestedEdit


class AlreadyAnswered(Conflict):
    """The same request was sent twice at once, and the other one has ended."""

    code = "already_answered"


@dataclass(frozen=True, kw_only=True)
class EditRequest:
    """A request that is under way, by who sent it and its idempotency key."""

    caller: str
    key: str

    def read_beginning(self, session: Session) -> datetime | None:
        """When it was sent first."""
        own = IdempotencyKey.caller == self.caller, IdempotencyKey.key == self.key
        return session.scalar(select(IdempotencyKey.created_at).where(*own))

    def find_done(self, session: Session) -> set[int]:
        """The posts that it has edited."""
        return set(session.scalars(select(RequestedEdit.post_id).where(*self._own_rows())))

    def keep_undone(self, session: Session, ids: Collection[int]) -> set[int]:
        """Those of `ids`, locked by this transaction, that it has not edited; until we commit it is
        not answered. Raises `AlreadyAnswered`."""
        own = IdempotencyKey.caller == self.caller, IdempotencyKey.key == self.key
        status = select(IdempotencyKey.status).where(*own).with_for_update(read=True)
        if session.scalar(status):
            raise AlreadyAnswered("It was done by the same request, which was sent twice")
        done = select(RequestedEdit.post_id).where(
            *self._own_rows(), RequestedEdit.post_id.in_(ids)
        )
        return set(ids).difference(session.scalars(done))

    def note_done(self, session: Session, ids: Collection[int]) -> None:
        """Call it in the transaction that edits them."""
        if ids:
            mine = {"caller": self.caller, "key": self.key}
            rows = [{**mine, "post_id": post_id} for post_id in ids]
            session.execute(insert(RequestedEdit), rows)

    def forgetting(self) -> Delete:
        """The statement, for when it is answered."""
        return delete(RequestedEdit).where(*self._own_rows())

    def _own_rows(self) -> tuple[ColumnElement[bool], ...]:
        return RequestedEdit.caller == self.caller, RequestedEdit.key == self.key
