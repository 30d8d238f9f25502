"""Discarded posts: deletes retired ids in Postiz, so that Postiz does not publish them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.orm import Session

from shared import metrics
from shared.accounts import holds
from shared.domain.publishing.retry_limits import ORPHAN_DELETES
from shared.errors import OutcomeUnknown, PostRejected, PressroomError
from shared.log import get_logger
from shared.models import Account, Handover, Post, Profile
from shared.postiz.client import Postiz
from shared.posts import transitions
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import postiz_call, remote_delete
from worker.accounts.defects import translate_defects
from worker.accounts.error_policy import may_have_run
from worker.runtime import Runtime

BATCH = 20

log = get_logger("discarded")


@dataclass(frozen=True, kw_only=True)
class Discarded:
    """A retired id that may still exist in Postiz."""

    handover_id: int
    post_id: int
    postiz_id: str
    credentials: CredentialRef
    tries: int
    was_released: bool  # a status change was sent: Postiz may still publish it
    markers: tuple[datetime, ...]  # the dates with which Postiz may list it


def delete_due_posts(
    runtime: Runtime, account_id: int, delete_slice: remote_delete.DeleteSlice
) -> None:
    """Delete the account's discarded posts that are due, for one time slice."""
    for discarded in _find_due_posts(runtime, account_id):
        if ORPHAN_DELETES.pause(discarded.tries) is None:
            with runtime.database.transaction() as session:
                _leave_in_postiz(session, discarded, "no delete of it came to an end")
            continue
        try:
            with translate_defects("discarded", sent=True):
                if not _delete_discarded(runtime, discarded, delete_slice):
                    return
        except PressroomError as error:
            _record_failure(runtime, discarded, delete_slice, error)
            continue
        with runtime.database.transaction() as session:
            row = update(Handover).where(Handover.id == discarded.handover_id)
            session.execute(row.values(state="buried"))
        metrics.ORPHANS_DELETED.labels("discarded").inc()


def has_due_posts() -> ColumnElement[bool]:
    """Whether the enclosing query's account has discarded posts that are due."""
    return exists().where(Handover.account_id == Account.id, *_due_conditions()).correlate(Account)


def _due_conditions() -> tuple[ColumnElement[bool], ...]:
    """The conditions, with the join to the profile whose key is used for the delete."""
    return (
        Handover.state == "discarded",
        or_(Handover.next_at.is_(None), Handover.next_at <= func.now()),
        Post.id == Handover.post_id,
        Profile.id == Post.profile_id,
        *holds.has_usable_key(Handover.account_id),
    )


def _find_due_posts(runtime: Runtime, account_id: int) -> list[Discarded]:
    with runtime.database.transaction() as session:
        rows = session.execute(
            select(Handover, Profile)
            .where(Handover.account_id == account_id, *_due_conditions())
            .order_by(Handover.next_at.nulls_first(), Handover.id)
            .limit(BATCH)
        ).all()
        return [_build_discarded(handover, profile) for handover, profile in rows]


def _build_discarded(handover: Handover, profile: Profile) -> Discarded:
    return Discarded(
        handover_id=handover.id,
        post_id=handover.post_id,
        postiz_id=handover.postiz_id,
        credentials=CredentialRef.from_profile(profile, handover.account_id),
        tries=handover.tries,
        was_released=handover.released_at is not None,
        markers=handover.markers,
    )


def _delete_discarded(
    runtime: Runtime, discarded: Discarded, delete_slice: remote_delete.DeleteSlice
) -> bool:
    """Delete it. Postiz gives the same answer for an unknown id and for a failure, so a read
    decides.

    The attempt and the time of the next one are recorded before.
    """

    def record_try(session: Session) -> None:
        pause = ORPHAN_DELETES.pause(discarded.tries + 1)
        row = update(Handover).where(Handover.id == discarded.handover_id)
        next_at = func.now() + (ORPHAN_DELETES.longest if pause is None else pause)
        session.execute(row.values(tries=discarded.tries + 1, next_at=next_at))

    try:
        return remote_delete.delete_post(
            runtime,
            discarded.credentials,
            discarded.postiz_id,
            delete_slice,
            note=record_try,
            orphan=not discarded.was_released,
        )
    except PressroomError as error:
        if not may_have_run(error):
            _take_back_try(runtime, discarded)
            raise
        # a read that fails raises, too: the delete was made, and counts
        if not isinstance(error, OutcomeUnknown | PostRejected) or _is_listed(runtime, discarded):
            raise
        delete_slice.failed = 0
        return True


def _take_back_try(runtime: Runtime, discarded: Discarded) -> None:
    with runtime.database.transaction() as session:
        row = update(Handover).where(Handover.id == discarded.handover_id)
        session.execute(row.values(tries=discarded.tries))


def _is_listed(runtime: Runtime, discarded: Discarded) -> bool:
    def has_post(postiz: Postiz) -> bool:
        windows = (postiz.window(marker, marker) for marker in discarded.markers)
        return any(row.id == discarded.postiz_id for window in windows for row in window)

    return postiz_call.make_call(runtime, discarded.credentials, has_post)


def _record_failure(
    runtime: Runtime,
    discarded: Discarded,
    delete_slice: remote_delete.DeleteSlice,
    error: PressroomError,
) -> None:
    """The next attempt is delayed, longer each time; at last the post is left in Postiz, with an
    entry in the timeline."""
    log.warning("discarded post not deleted", post=discarded.postiz_id, why=error.message)
    with runtime.database.transaction() as session:
        remote_delete.record_failure(session, delete_slice, discarded.credentials, error)
        tries = session.get_one(Handover, discarded.handover_id).tries
        if ORPHAN_DELETES.pause(tries) is None:
            _leave_in_postiz(session, discarded, error.message)


def _leave_in_postiz(session: Session, discarded: Discarded, detail: str) -> None:
    row = update(Handover).where(Handover.id == discarded.handover_id)
    session.execute(row.values(state="left"))
    transitions.add_events(session, [discarded.post_id], "draft_left_in_postiz", detail)
