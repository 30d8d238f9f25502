"""Waiting edits: they replace the values of posts when the calls that carry the old ones ended."""

from datetime import timedelta

from sqlalchemy import func, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.containment import contain_failures
from shared.models import Post
from shared.posts import edits
from worker.accounts import defects

#: When an edit that failed with an unexpected error is tried again.
RETRY_DEFECT_AFTER = timedelta(minutes=5)


def apply_waiting(session: Session) -> None:
    """A batch of them; after an unexpected error each alone, so that one costs no other."""
    ids = edits.lock_waiting(session)
    uncontained = (OperationalError,)
    with contain_failures("edits", but=uncontained, posts=len(ids)) as fate, session.begin_nested():
        edits.apply_edits(session, ids)
    if not fate.failed:
        return
    for post_id in ids:
        with (
            contain_failures("edit", but=uncontained, post=post_id) as fate,
            session.begin_nested(),
        ):
            edits.apply_edits(session, [post_id])
        if fate.error is not None:
            defects.blame_post(session, post_id, defects.describe_error(fate.error))
            later = {"next_at": func.now() + RETRY_DEFECT_AFTER}
            session.execute(update(Post).where(Post.id == post_id).values(later))
