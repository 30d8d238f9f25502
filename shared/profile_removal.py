"""Deleting a profile with all that is its own, and never while Postiz still has work of it."""

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, aliased

from shared import profiles, webhooks
from shared.domain.states import PostState
from shared.errors import Conflict
from shared.models import (
    AccountMedia,
    ApiKey,
    Handover,
    Job,
    JobMedia,
    Media,
    Post,
    Profile,
    Schedule,
    Submission,
)

#: Nothing of them is in Postiz.
WAITING = (PostState.PENDING, PostState.HELD)
#: Postiz may have, or be getting, something that we would lose track of.
IN_POSTIZ = (
    PostState.STAGING,
    PostState.STAGED,
    PostState.RELEASING,
    PostState.SCHEDULED,
    PostState.CANCELLING,
)


def remove(session: Session, profile_id: str, *, force: bool) -> list[str]:
    """Delete the profile; returns the storage keys of its files, to be deleted after the commit.

    Raises `Conflict` while posts are pending, which `force` gives up; and, with `force` too, while
    any is on its way into Postiz or waits there: it could be published with nobody watching.
    """
    _stop_schedules(session, profile_id)
    profile = profiles.get(session, profile_id, lock=True)
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
    keys = _storage_keys(session, profile_id)
    _delete_rows(session, profile_id)
    session.delete(profile)
    session.flush()
    return keys


def _stop_schedules(session: Session, profile_id: str) -> None:
    """Before the profile, for whoever runs a schedule locks it first, and then its profile."""
    schedules = select(Schedule.id).where(Schedule.profile_id == profile_id).order_by(Schedule.id)
    session.execute(schedules.with_for_update())


def _open_posts(session: Session, profile_id: str) -> dict[str, int]:
    """How many posts are in each state; those that are pending stay so until we commit."""
    pending = select(Post.id).where(Post.profile_id == profile_id, Post.state.in_(WAITING))
    session.execute(pending.with_for_update())
    query = select(Post.state, func.count()).where(Post.profile_id == profile_id)
    return {row[0]: row[1] for row in session.execute(query.group_by(Post.state))}


def _storage_keys(session: Session, profile_id: str) -> list[str]:
    query = select(Media.storage_key).where(
        Media.profile_id == profile_id, Media.storage_key.is_not(None)
    )
    return [key for key in session.scalars(query.distinct()) if key]


def _delete_rows(session: Session, profile_id: str) -> None:
    """In the order that the references demand."""
    session.execute(delete(Schedule).where(Schedule.profile_id == profile_id))
    posts = select(Post.id).where(Post.profile_id == profile_id)
    jobs = select(Job.id).where(Job.profile_id == profile_id)
    session.execute(delete(Handover).where(Handover.post_id.in_(posts)))
    session.execute(delete(Post).where(Post.profile_id == profile_id))
    _leave_submissions(session, profile_id)
    session.execute(delete(JobMedia).where(JobMedia.job_id.in_(jobs)))
    session.execute(delete(Job).where(Job.profile_id == profile_id))
    media = select(Media.id).where(Media.profile_id == profile_id)
    session.execute(delete(AccountMedia).where(AccountMedia.media_id.in_(media)))
    session.execute(delete(Media).where(Media.profile_id == profile_id))
    session.execute(
        update(ApiKey)
        .where(ApiKey.profile_ids.contains([profile_id]))
        .values(profile_ids=func.array_remove(ApiKey.profile_ids, profile_id))
    )
    webhooks.forget_profile(session, profile_id)


def _leave_submissions(session: Session, profile_id: str) -> None:
    """Calls may have carried other profiles' posts too: these keep them, under their own key."""
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
    heirs = [query.scalar_subquery() for query in (same_account, carried, handed_over)]
    mine = Submission.profile_id == profile_id
    unsynchronized = {"synchronize_session": False}
    session.execute(
        update(Submission).where(mine).values(profile_id=func.coalesce(*heirs, profile_id)),
        execution_options=unsynchronized,
    )
    session.execute(delete(Submission).where(mine), execution_options=unsynchronized)
