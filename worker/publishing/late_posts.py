"""Late posts: skips or holds posts that are too late by their policy, before they are sent."""

from sqlalchemy.orm import Session

from shared.domain.publishing.states import PostState
from shared.posts import late_policy
from shared.posts.late_policy import LatePolicy

BATCH = 1000


def enforce_policy(session: Session, state: PostState) -> None:
    """Skip or hold a batch of late posts in `state`; the next sweep continues."""
    rows = late_policy.lock_late_posts(session, state, limit=BATCH)
    skipped = [post_id for post_id, policy in rows if policy == LatePolicy.SKIP]
    held = [post_id for post_id, policy in rows if policy == LatePolicy.HOLD]
    if skipped:
        late_policy.skip_late_posts(session, skipped, state)
    if held:
        late_policy.hold_late_posts(session, held, state)
