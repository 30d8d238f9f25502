"""Deletes a profile with everything that belongs to it, unless posts of it are in Postiz.

First the profile is marked: it accepts nothing new, and nothing is sent for it. Then its rows are
deleted, one batch per transaction, and the files of each batch of media. If a process dies, the
next one continues. The profile's own row is deleted last.
"""

import time
from collections.abc import Sequence

from sqlalchemy import CursorResult, Delete, Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from shared.access import api_keys
from shared.calendar_feed import links as calendar_links
from shared.db import Database
from shared.domain.publishing.states import PostState
from shared.errors import Conflict, Unavailable
from shared.log import get_logger
from shared.models import (
    AccountMedia,
    Delivery,
    Event,
    Handover,
    IncomingUpload,
    Job,
    JobMedia,
    Media,
    Post,
    Profile,
    Schedule,
    Submission,
)
from shared.people import users
from shared.posts import cancel_retry
from shared.profiles import profile_settings
from shared.storage import file_lock
from shared.storage.base import Storage
from shared.webhooks import subscriptions

#: States of posts that are not in Postiz.
WAITING = (PostState.PENDING, PostState.WAITING_APPROVAL, PostState.HELD)
#: States of posts that are or may be in Postiz.
IN_POSTIZ = (
    PostState.STAGING,
    PostState.STAGED,
    PostState.RELEASING,
    PostState.SCHEDULED,
    PostState.CANCELLING,
    PostState.RESCHEDULING,
)
#: Maximum rows per transaction, so that locks are short.
BATCH = 500
#: Workers are working on posts in these states; each ends in another state.
_IN_PROGRESS = (
    PostState.STAGING,
    PostState.RELEASING,
    PostState.CANCELLING,
    PostState.RESCHEDULING,
)
Owned = Post | Submission | Job | AccountMedia | Media | Schedule | IncomingUpload
_OWNED_TABLES: tuple[type[Owned], ...] = (
    Post,
    Submission,
    Job,
    AccountMedia,
    Media,
    Schedule,
    IncomingUpload,
)

log = get_logger("removal")


def begin_removal(session: Session, profile_id: str, *, force: bool) -> None:
    """Mark the profile as being deleted; waits for requests that are writing posts for it.

    Raises `Conflict` while posts are pending, unless `force` is set. Even with `force` it raises
    `Conflict` while posts are in Postiz, where they could be published without being tracked.
    """
    _delete_schedules(session, profile_id)
    profile = profile_settings.load_profile(session, profile_id, lock=True)
    if profile.deleting_since is not None:
        return
    counts = _open_posts(session, profile_id)
    handed_over = sum(counts.get(state, 0) for state in IN_POSTIZ)
    if handed_over:
        raise Conflict(
            f"{handed_over} posts of this profile are in Postiz and not yet published: "
            "wait for them, or cancel them first",
            code="posts_in_postiz",
        )
    waiting = sum(counts.get(state, 0) for state in WAITING)
    if waiting and not force:
        raise Conflict(
            f"{waiting} posts of this profile are pending: ?force=true gives them up",
            code="posts_pending",
        )
    profile.deleting_since, profile.paused = func.now(), True


def continue_removal(
    database: Database, storage: Storage, profile_id: str, *, until: float
) -> bool:
    """Delete in batches; returns whether the profile is gone. `until`: monotonic time."""
    while time.monotonic() < until:
        with database.transaction() as session:
            number, keys = _remove_batch(session, profile_id)
        _remove_files(database, storage, keys)
        if not number:
            return _try_to_finish(database, profile_id)
    return False


def _try_to_finish(database: Database, profile_id: str) -> bool:
    try:
        with database.transaction() as session:
            return _finish_removal(session, profile_id)
    except IntegrityError:  # a file was added meanwhile: left to the next round
        return False


def list_marked_profiles(session: Session) -> Sequence[str]:
    """The profiles that are being deleted, the longest waiting first."""
    return session.scalars(marked_profiles_query().order_by(Profile.deleting_since)).all()


def marked_profiles_query() -> Select[str]:
    return select(Profile.id).where(Profile.deleting_since.is_not(None))


def _delete_schedules(session: Session, profile_id: str) -> None:
    """Before the profile is locked, in the same order as a schedule's run: schedule, profile."""
    schedules = select(Schedule.id).where(Schedule.profile_id == profile_id).order_by(Schedule.id)
    session.execute(schedules.with_for_update())
    session.execute(delete(Schedule).where(Schedule.profile_id == profile_id))


def _open_posts(session: Session, profile_id: str) -> dict[str, int]:
    query = select(Post.state, func.count()).where(Post.profile_id == profile_id)
    return {row[0]: row[1] for row in session.execute(query.group_by(Post.state))}


def _remove_batch(session: Session, profile_id: str) -> tuple[int, Sequence[str]]:
    """Delete a batch of the first kind that has rows left; returns its size and file keys."""
    number = _remove_posts(session, profile_id)
    if number or _has_any(session, Post, profile_id):  # posts refer to the other rows
        return number, ()
    for step in (_remove_submissions, _remove_jobs, _remove_deliveries, _remove_incoming):
        if number := step(session, profile_id):
            return number, ()
    return _remove_media(session, profile_id)


def _remove_posts(session: Session, profile_id: str) -> int:
    """Posts that a running call put into Postiz after the mark are cancelled first."""
    rows = session.execute(
        select(Post.id, Post.state)
        .where(Post.profile_id == profile_id, Post.state.not_in(_IN_PROGRESS))
        .order_by(Post.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    in_postiz = [row.id for row in rows if row.state in IN_POSTIZ]
    cancel_retry.cancel_posts(session, in_postiz)
    ids = [row.id for row in rows if row.state not in IN_POSTIZ]
    session.execute(delete(Event).where(Event.post_id.in_(ids)))
    session.execute(delete(Handover).where(Handover.post_id.in_(ids)))
    session.execute(delete(Post).where(Post.id.in_(ids)))
    return len(rows)


def _remove_submissions(session: Session, profile_id: str) -> int:
    """A call may have carried posts of other profiles too: one of these then gets its row."""
    other = aliased(Profile)
    same_account = select(func.min(other.id)).where(
        other.account_id == Submission.account_id, other.id != profile_id
    )
    carried = select(func.min(Post.profile_id)).where(Post.submission_id == Submission.id)
    handed_over = (
        select(func.min(Post.profile_id))
        .join(Handover, Handover.post_id == Post.id)
        .where(Handover.submission_id == Submission.id)
    )
    new_owners = [query.scalar_subquery() for query in (same_account, carried, handed_over)]
    batch = select(Submission.id).where(Submission.profile_id == profile_id).limit(BATCH)
    ids = session.scalars(batch.with_for_update(skip_locked=True)).all()
    still_owned = Submission.id.in_(ids), Submission.profile_id == profile_id
    unsynchronized = {"synchronize_session": False}
    session.execute(
        update(Submission)
        .where(*still_owned)
        .values(profile_id=func.coalesce(*new_owners, profile_id)),
        execution_options=unsynchronized,
    )
    session.execute(delete(Submission).where(*still_owned), execution_options=unsynchronized)
    return len(ids)


def _remove_jobs(session: Session, profile_id: str) -> int:
    batch = select(Job.id).where(Job.profile_id == profile_id).limit(BATCH)
    ids = session.scalars(batch.with_for_update(skip_locked=True)).all()
    session.execute(delete(JobMedia).where(JobMedia.job_id.in_(ids)))
    return _delete_rows(session, delete(Job).where(Job.id.in_(ids)))


def _remove_deliveries(session: Session, profile_id: str) -> int:
    """Delete deliveries of events that concern this profile only."""
    about = select(Delivery.id).where(Delivery.profile_ids == [profile_id]).limit(10 * BATCH)
    batch = about.with_for_update(skip_locked=True)
    return _delete_rows(session, delete(Delivery).where(Delivery.id.in_(batch)))


def _remove_incoming(session: Session, profile_id: str) -> int:
    """Their bytes have no row any more, so the hourly cleaning removes them."""
    batch = select(IncomingUpload.id).where(IncomingUpload.profile_id == profile_id).limit(BATCH)
    ids = session.scalars(batch.with_for_update(skip_locked=True)).all()
    return _delete_rows(session, delete(IncomingUpload).where(IncomingUpload.id.in_(ids)))


def _remove_media(session: Session, profile_id: str) -> tuple[int, Sequence[str]]:
    batch = select(Media.id, Media.storage_key).where(Media.profile_id == profile_id).limit(BATCH)
    rows = session.execute(batch.with_for_update(skip_locked=True)).all()
    ids = [row.id for row in rows]
    session.execute(delete(AccountMedia).where(AccountMedia.media_id.in_(ids)))
    session.execute(delete(Media).where(Media.id.in_(ids)))
    return len(rows), [row.storage_key for row in rows if row.storage_key]


def _delete_rows(session: Session, query: Delete) -> int:
    done = session.execute(query, execution_options={"synchronize_session": False})
    assert isinstance(done, CursorResult)
    return done.rowcount


def _remove_files(database: Database, storage: Storage, keys: Sequence[str]) -> None:
    """Delete the files; if the storage is unavailable, the hourly cleaning does it."""
    try:
        for key in dict.fromkeys(keys):
            file_lock.remove_unreferenced(database, storage, key)
    except Unavailable as error:
        log.warning("files of a deleted profile are left to the cleaning", reason=error.message)


def _finish_removal(session: Session, profile_id: str) -> bool:
    """Delete the profile unless locked rows of it are left; returns whether it is gone."""
    # a full lock: whoever is binding a key or a webhook to it now is waited for
    profile = session.get(Profile, profile_id, with_for_update=True)
    if profile is None:
        return True
    if any(_has_any(session, table, profile_id) for table in _OWNED_TABLES):
        return False
    api_keys.forget_profile(session, profile_id)
    users.forget_profile(session, profile_id)
    calendar_links.forget_profile(session, profile_id)
    subscriptions.forget_profile(session, profile_id)
    session.delete(profile)
    session.flush()
    return True


def _has_any(session: Session, table: type[Owned], profile_id: str) -> bool:
    of_profile = select(table.id).where(table.profile_id == profile_id)
    return session.scalar(of_profile.limit(1)) is not None
