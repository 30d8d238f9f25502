"""Deletes posts in Postiz, at the server's pace, and distinguishes failures of one id from failures
of the server."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import methodcaller

from sqlalchemy import case, update
from sqlalchemy.orm import Session

from shared import failpoints
from shared.domain.publishing.reconciliation import DELETED, DELETING
from shared.domain.publishing.retry_limits import DELETES
from shared.errors import PressroomError
from shared.models import Account, Handover
from shared.posts import transitions
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import leases, postiz_call, rate_limiter, server_turns
from worker.accounts.error_policy import is_about_single_id, may_have_run
from worker.accounts.remote_posts import Subject, requeue_subjects
from worker.runtime import Runtime

#: If the deletes of so many ids fail in a row, the server is considered failing.
MAX_FAILED = 3


@dataclass
class DeleteSlice:
    """The deletes that a child makes for an account, until the monotonic time `ends`."""

    ends: float
    failed: int = 0  # failed deletes in a row, of different ids

    @property
    def is_over(self) -> bool:
        return self.failed >= MAX_FAILED or time.monotonic() >= self.ends


def delete_post(
    runtime: Runtime,
    credentials: CredentialRef,
    postiz_id: str,
    delete_slice: DeleteSlice,
    *,
    note: Callable[[Session], None] = lambda _: None,
    orphan: bool = False,
) -> bool:
    """Whether the delete was acknowledged; False if there was no time or no slot for it.

    `note` records that the delete will be sent, and is committed before it. `orphan`: an orphan
    draft, which does no harm; its delete gives way to releases. Raises what the call raises.
    """
    if delete_slice.is_over:
        return False
    with runtime.database.transaction() as session:
        if orphan and server_turns.is_release_due(session, credentials.account_id):
            return False
        server = session.get_one(Account, credentials.account_id).server
    per_second = runtime.settings.writes_per_second
    slot = rate_limiter.take_slot(runtime.database, server, per_second=per_second)
    if slot is None:
        return False
    with runtime.database.transaction() as session:
        asked_at = rate_limiter.clock(session)
        note(session)
    rate_limiter.wait_for(asked_at, slot)
    failpoints.hit("delete.before_call")
    postiz_call.make_call(runtime, credentials, methodcaller("delete", postiz_id))
    failpoints.hit("delete.after_call")
    delete_slice.failed = 0
    return True


def note_try(session: Session, handover_id: int) -> None:
    """Record the attempt before it is sent: so attempts end even if each one kills its worker."""
    tries = case((Handover.state.in_((DELETING, DELETED)), Handover.tries + 1), else_=1)
    noted = update(Handover).where(Handover.id == handover_id)
    session.execute(noted.values(state=DELETING, tries=tries))


def record_failure(
    session: Session, delete_slice: DeleteSlice, credentials: CredentialRef, error: PressroomError
) -> None:
    """An id was not deleted. If this is not about the id alone, the account waits."""
    delete_slice.failed += 1
    if delete_slice.failed >= MAX_FAILED or not is_about_single_id(error):
        delete_slice.failed = MAX_FAILED
        leases.record_failure(session, credentials, error)


def retry_or_give_up(
    runtime: Runtime,
    delete_slice: DeleteSlice,
    subject: Subject,
    error: PressroomError,
    give_up: Callable[[Session, Subject, str], None],
) -> None:
    """Delay the next attempt, longer each time, or give up; the timeline gets the first and last
    failure only."""
    with runtime.database.transaction() as session:
        record_failure(session, delete_slice, subject.credentials, error)
        tries = _correct_tries(session, subject.handover_id, error)
        pause = DELETES.pause(tries)
        if pause is None:
            give_up(session, subject, error.message)
            return
        if tries == 1:
            transitions.add_events(session, [subject.post_id], "delete_unknown", error.message)
        requeue_subjects(session, [subject], pause)


def _correct_tries(session: Session, handover_id: int, error: PressroomError) -> int:
    """How many deletes of this id failed; one that was never sent does not count."""
    never_left = 0 if may_have_run(error) else 1
    counted = update(Handover).where(Handover.id == handover_id)
    counted = counted.values(tries=Handover.tries - never_left).returning(Handover.tries)
    return session.scalars(counted).one()
