"""Cancel and retry: what a person may still change about a post."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, ScalarSelect, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session

from shared.domain.publishing.reconciliation import CANCELLED_LATE, OVERDUE, RELEASING, UNSCHEDULED
from shared.domain.publishing.states import PostState
from shared.errors import HOW_TO_CONFIGURE, Conflict, NotConfigured
from shared.jobs import progress
from shared.media import upload_queue
from shared.media.post_media import used_media
from shared.models import AccountMedia, Handover, Job, JobMedia, Media, Post, Profile
from shared.posts import handovers, late_policy, transitions

#: States that are cancelled at once, and those in which a worker first deletes the post in Postiz.
CANCELLED_AT_ONCE = (PostState.PENDING, PostState.WAITING_APPROVAL, PostState.HELD)
CANCELLED_BY_WORKER = (
    PostState.STAGING,
    PostState.STAGED,
    PostState.SCHEDULED,
    PostState.DRAFT,
    PostState.RESCHEDULING,
)
CANCELLABLE = CANCELLED_AT_ONCE + CANCELLED_BY_WORKER
#: States in which a retry starts from the beginning.
RETRYABLE = (PostState.FAILED, PostState.CANCELLED)
#: Events of posts that are not cancelled: Postiz is about to publish them, or does not delete them.
TOO_LATE_TO_CANCEL, NOT_CANCELLED = "too_late_to_cancel", "not_cancelled"
#: Error codes of posts that Postiz should have published by now.
OVERDUE_CODES = (OVERDUE, UNSCHEDULED)
MAY_BE_LIVE = (
    "It was handed to Postiz and may be on the network, or still be processing there (a video "
    "takes up to half an hour). Look at the channel; if it is not there, say so: "
    '{"confirm_not_published": true}'
)


def cancel_posts(session: Session, ids: Sequence[int]) -> list[int]:
    """Cancel those of `ids` that can be; returns which are cancelled or being cancelled."""
    rows = session.execute(
        select(Post.id, Post.state).where(Post.id.in_(ids)).with_for_update(key_share=True)
    ).all()
    cancelled: list[int] = []
    for state in CANCELLABLE:
        in_state = [row.id for row in rows if row.state == state]
        _cancel_in_state(session, in_state, state)
        cancelled += in_state
    return cancelled


def _cancel_in_state(session: Session, ids: Sequence[int], state: PostState) -> None:
    if state in CANCELLED_AT_ONCE:
        transitions.move_posts(session, ids, state, PostState.CANCELLED, event="cancelled")
        return
    # a call in progress keeps its lease; after it, its worker hands the post over for deletion
    until = Post.lease_until if state is PostState.STAGING else func.now()
    values = {"lease_until": until, "track_at": None}
    transitions.move_posts(
        session, ids, state, PostState.CANCELLING, event="cancelling", values=values
    )


def cancel_post(session: Session, post: Post) -> None:
    """Raises `Conflict` for a post that can no longer be cancelled."""
    if not cancel_posts(session, [post.id]):
        raise Conflict(f"The post is {post.state}: it can no longer be taken back")
    session.refresh(post)


def retry_post(session: Session, post: Post, *, confirmed: bool) -> None:
    """Retry a failed, cancelled or overdue post, or release one that is held because it is late.

    `confirmed`: a person says that it was not published. Raises `Conflict` if it is in another
    state, or may be live and is not `confirmed`; `NotConfigured` if its profile has no Postiz.
    """
    if post.state == PostState.HELD:
        _require_postiz(session, post)
        release_held(session, [post.id])
        session.refresh(post)
        return
    is_overdue = session.scalar(select(overdue_condition()).where(Post.id == post.id))
    if post.state not in RETRYABLE and not is_overdue:
        raise Conflict(
            f"The post is {post.state}: only one that failed, was cancelled or is overdue can be "
            "retried"
        )
    _require_postiz(session, post)
    if not confirmed and find_possibly_live(session, [post.id]):
        raise Conflict(MAY_BE_LIVE, code="may_be_live")
    if is_overdue:
        reconcile_overdue(session, [post.id])
    else:
        requeue_posts(session, [post.id], PostState(post.state))
    session.refresh(post)


def _require_postiz(session: Session, post: Post) -> None:
    if session.get_one(Profile, post.profile_id).account_id is None:
        raise NotConfigured(HOW_TO_CONFIGURE.format(id=post.profile_id))


def has_postiz() -> ColumnElement[bool]:
    """Whether the post's profile has a Postiz account."""
    return exists().where(Profile.id == Post.profile_id, Profile.account_id.is_not(None))


def has_media() -> ColumnElement[bool]:
    """Whether none of the post's media was deleted."""
    wanted = func.unnest(used_media()).column_valued("wanted")
    is_kept = exists().where(Media.id == wanted, Media.removed_at.is_(None))
    gone = select(wanted).where(~is_kept.correlate_except(Media))
    return ~gone.correlate(Post).exists()


def may_be_live() -> ColumnElement[bool]:
    """Whether the post may be published: its current id was released, or it was cancelled late."""
    handed_over = exists().where(handovers.is_alive_of_post(), Handover.released_at.is_not(None))
    return or_(handed_over, Post.error_code.is_not_distinct_from(CANCELLED_LATE))


def find_possibly_live(session: Session, ids: Sequence[int]) -> set[int]:
    """Those of `ids` that may have been published."""
    return set(session.scalars(select(Post.id).where(Post.id.in_(ids), may_be_live())))


def overdue_condition() -> ColumnElement[bool]:
    """Posts that are still waiting in Postiz although their time has passed."""
    return and_(Post.state == PostState.SCHEDULED, Post.error_code.in_(OVERDUE_CODES))


def reconcile_overdue(session: Session, ids: Sequence[int]) -> None:
    """A person says that these overdue posts were not published. They are then reconciled like
    releases of unknown outcome (parked, deleted, staged again), unless Postiz publishes them."""
    transitions.move_posts(
        session,
        ids,
        PostState.SCHEDULED,
        PostState.RELEASING,
        event="retried",
        detail="on a person's word that it was not published",
        values={
            "attempts": 0,
            "lease_until": func.now(),
            "track_at": None,
            "next_at": func.now(),
            "late_policy": late_policy.after_retry(),
        },
    )
    handovers.update_alive(session, ids, word_at=func.now(), state=RELEASING, tries=0)
    progress.reopen_jobs(session, ids)


def requeue_posts(
    session: Session, ids: Sequence[int], source: PostState = PostState.FAILED
) -> None:
    """Start failed or cancelled posts again from the beginning."""
    transitions.retire_handovers(session, ids, "retried", discard=True)
    _make_pending(session, ids, source, event="retried")


def release_held(session: Session, ids: Sequence[int]) -> None:
    """A person wants these held posts to be published now, although they are late."""
    detail = "published late, on a person's word"
    _make_pending(session, ids, PostState.HELD, event="let_go", detail=detail)


def _make_pending(
    session: Session,
    ids: Sequence[int],
    source: PostState,
    *,
    event: str,
    detail: str | None = None,
) -> None:
    """Make the posts pending in the profile's current account, and request their media there."""
    values = {
        **transitions.NOT_IN_POSTIZ,
        "attempts": 0,
        "unclear_calls": 0,
        "next_at": func.now(),
        "track_at": None,
        "take_back": False,
        "pack_limit": None,
        "late_policy": late_policy.after_retry(),
        "account_id": func.coalesce(_account_of_profile(), Post.account_id),
    }
    to = PostState.PENDING
    transitions.move_posts(session, ids, source, to, event=event, detail=detail, values=values)
    progress.reopen_jobs(session, ids)
    rows = session.execute(
        select(Post.profile_id, Post.account_id, func.unnest(used_media())).where(Post.id.in_(ids))
    ).all()
    for profile_id, account_id in sorted({(row[0], row[1]) for row in rows}):
        wanted = {row[2] for row in rows if row[0] == profile_id}
        upload_queue.request_uploads(session, sorted(wanted), profile_id, account_id)


def _account_of_profile() -> ScalarSelect[int | None]:
    return select(Profile.account_id).where(Profile.id == Post.profile_id).scalar_subquery()


def retry_uploads(session: Session, job: Job) -> list[int]:
    """Retry the job's failed uploads. Raises `Conflict` if there are none."""
    failed = session.scalars(
        update(AccountMedia)
        .where(
            JobMedia.job_id == job.id,
            AccountMedia.id == JobMedia.account_media_id,
            AccountMedia.state == "failed",
        )
        .values(state="pending", attempts=0, next_at=func.now())
        .returning(AccountMedia.id)
        .execution_options(synchronize_session=False)
    ).all()
    if not failed:
        raise Conflict("The job has no failed uploads")
    session.execute(update(Job).where(Job.id == job.id).values(progress.REOPENED))
    return list(failed)
