"""Adopts drafts of a call of unknown outcome: records them as if the reply had arrived."""

from collections.abc import Sequence

from sqlalchemy import func
from sqlalchemy.orm import Session

from shared.db import ROW_LOCK
from shared.domain.publishing import draft_matching
from shared.domain.publishing.fingerprint import compute_fingerprint
from shared.domain.publishing.reconciliation import DRAFT
from shared.domain.publishing.restore_matching import Theirs
from shared.domain.publishing.states import PostState
from shared.models import Account, Post, Submission
from shared.postiz.client import RemotePost
from shared.posts import handovers, transitions
from worker.runtime import Runtime
from worker.staging.staged_drafts import draft_signature, keep_drafts

FOUND = "found in Postiz, though the reply was lost"


def adopt_matches(
    session: Session,
    runtime: Runtime,
    submission: Submission,
    waiting: Sequence[Post],
    rows: Sequence[RemotePost],
) -> dict[int, str]:
    """Record the posts that Postiz has; returns post ids with their ids in Postiz."""
    matched = draft_matching.match_drafts(
        [draft_signature(post) for post in waiting],
        [_remote_signature(row) for row in rows],
        submission.adoptable,
    )
    found = {post_id: remote.postiz_id for post_id, remote in matched.items()}
    if not found:
        return found
    submission.replied_at = func.clock_timestamp()
    account = session.get_one(
        Account, submission.account_id, with_for_update=ROW_LOCK, populate_existing=True
    )
    keep_drafts(
        session,
        account,
        submission,
        found,
        list(found),
        detail=FOUND,
        settle_seconds=runtime.settings.settle_seconds,
        as_draft=waiting[0].as_draft,
    )
    drafts = {row.id for row in rows if row.state == DRAFT}
    if not waiting[0].as_draft:
        _follow_released(
            session, [post_id for post_id, postiz_id in found.items() if postiz_id not in drafts]
        )
    return found


def _remote_signature(row: RemotePost) -> Theirs:
    return Theirs(
        postiz_id=row.id,
        fingerprint=compute_fingerprint(row.integration_id, row.content),
        publish_at=row.publish_at,
    )


def _follow_released(session: Session, ids: Sequence[int]) -> None:
    """Somebody has released these posts in Postiz: we never release them, and only track them."""
    released = {"released_at": func.clock_timestamp()}
    handovers.update_alive(session, ids, state="releasing", **released)
    transitions.move_posts(
        session,
        ids,
        PostState.STAGED,
        PostState.RELEASING,
        event="releasing",
        detail="released in Postiz by somebody else",
        values={"lease_until": func.now(), **released},
    )
