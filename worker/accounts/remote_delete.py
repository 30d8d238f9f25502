"""Deletes posts in Postiz, at the pace that its server bears, and tells an id's trouble from its
server's."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import methodcaller

from sqlalchemy import case, update
from sqlalchemy.orm import Session

from shared import failpoints
from shared.domain.publishing.reconciliation import DELETED, DELETING
from shared.errors import PressroomError
from shared.models import Account, Handover
from worker.accounts import leases, postiz_call, rate_limiter, server_turns
from worker.accounts.error_policy import is_about_single_id, may_have_run
from worker.runtime import Runtime

#: When the deletes of so many ids come to nothing in a row, it is the server.
MANY = 3


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is to be deleted, and with whose key."""

    profile_id: str
    version: int
    key_hash: str | None
    account_id: int
    postiz_id: str


@dataclass
class DeleteSlice:
    """The deletes that a child makes for an account until the monotonic time `ends`."""

    ends: float
    failed: int = 0  # in a row, each of another id

    @property
    def is_over(self) -> bool:
        return self.failed >= MANY or time.monotonic() >= self.ends


def delete_post(
    runtime: Runtime,
    target: Target,
    *,
    note: Callable[[Session], None] = lambda _: None,
    stray: bool = False,
) -> bool:
    """Whether the delete was made and acknowledged; False where the pace left no room for it.

    `note` writes down that it will be made, and is committed before. A draft that is only in a
    person's way, a `stray`, never takes the place of a release. Raises what the call raises.
    """
    with runtime.database.transaction() as session:
        if stray and server_turns.is_release_due(session, target.account_id):
            return False
        server = session.get_one(Account, target.account_id).server
    per_second = runtime.settings.writes_per_second
    slot = rate_limiter.take_slot(runtime.database, server, per_second=per_second)
    if slot is None:
        return False
    with runtime.database.transaction() as session:
        asked_at = rate_limiter.clock(session)
        note(session)
    rate_limiter.wait_for(asked_at, slot)
    failpoints.hit("delete.before_call")
    make = methodcaller("delete", target.postiz_id)
    postiz_call.make_call(runtime, target.profile_id, target.version, target.account_id, make)
    failpoints.hit("delete.after_call")
    return True


def note_try(session: Session, handover_id: int) -> None:
    """Note that a delete of this id will be sent: so an end comes though each kills its worker."""
    tries = case((Handover.state.in_((DELETING, DELETED)), Handover.tries + 1), else_=1)
    noted = update(Handover).where(Handover.id == handover_id)
    session.execute(noted.values(state=DELETING, tries=tries))


def correct_tries(session: Session, handover_id: int, error: PressroomError) -> int:
    """How many deletes of this id came to nothing; one that never left is no try."""
    never_left = 0 if may_have_run(error) else 1
    counted = update(Handover).where(Handover.id == handover_id)
    counted = counted.values(tries=Handover.tries - never_left).returning(Handover.tries)
    return session.scalars(counted).one()


def record_failure(
    session: Session, delete_slice: DeleteSlice, target: Target, error: PressroomError
) -> None:
    """One more id was not deleted. The account rests where that is more than this id's trouble."""
    delete_slice.failed += 1
    if delete_slice.failed >= MANY or not is_about_single_id(error):
        delete_slice.failed = MANY
        leases.record_failure(session, target.account_id, error, key_hash=target.key_hash)
