"""Sets posts aside that wait for something (shared/accounts/waits.py).

This is done under a lock of the row that the post waits for. The end of the wait changes that row
first, and then frees the posts. So a wait cannot end unnoticed in between.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.accounts import waits
from shared.domain.publishing.states import PostState
from shared.models import AccountMedia, Job, Post

#: Posts of a paused job per call.
BATCH = 1000


def set_aside_for_jobs(session: Session, job_ids: Collection[int]) -> None:
    """Set the open posts of these jobs aside, if the jobs are paused."""
    paused = select(Job.id).where(Job.id.in_(job_ids), Job.paused)
    for job_id in session.scalars(paused.with_for_update(read=True, skip_locked=True)).all():
        could_be_due = Post.job_id == job_id, Post.state.in_((PostState.PENDING, PostState.STAGED))
        first_posts = select(Post.id).where(*could_be_due, Post.waits_for == "").limit(BATCH)
        unlocked_posts = first_posts.with_for_update(key_share=True, skip_locked=True)
        waits.set_aside(session, session.scalars(unlocked_posts).all(), waits.for_job(job_id))


def set_aside_for_media(session: Session, account_id: int, missing: Mapping[int, int]) -> None:
    """`missing`: post id to a medium id that is not uploaded to the account."""
    wanted = AccountMedia.account_id == account_id, AccountMedia.media_id.in_(missing.values())
    rows = session.execute(select(AccountMedia.media_id, AccountMedia.id).where(*wanted)).all()
    rows_by_medium = {row.media_id: row.id for row in rows}
    waiting = select(AccountMedia.id).where(
        AccountMedia.id.in_(rows_by_medium.values()), AccountMedia.state != "uploaded"
    )
    locked = set(session.scalars(waiting.with_for_update(read=True, skip_locked=True)))
    by_medium: dict[int, list[int]] = defaultdict(list)
    for post_id, media_id in missing.items():
        if media_id not in rows_by_medium or rows_by_medium[media_id] in locked:
            by_medium[media_id].append(post_id)
    for media_id, ids in by_medium.items():
        wait = waits.for_medium(account_id, media_id)
        waits.set_aside(session, _lock_pending_posts(session, ids), wait)


def _lock_pending_posts(session: Session, ids: Collection[int]) -> Sequence[int]:
    rows = select(Post.id).where(Post.id.in_(ids), Post.state == PostState.PENDING)
    return session.scalars(rows.with_for_update(key_share=True, skip_locked=True)).all()
