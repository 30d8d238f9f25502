"""Unknown outcomes: posts that may or may not be published are left to a person."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from shared.domain.publishing.states import PostState
from shared.errors import OutcomeUnknown
from shared.posts import transitions
from worker.accounts import leases

HINT = "It may have been published. Look at the channel, and retry it only if it was not."
#: Seconds until a post that can still be read is read again.
FOLLOW_AFTER = 60


def leave_to_person(
    session: Session,
    ids: Collection[int],
    source: PostState,
    message: str,
    *,
    claim: int | None = None,
    follow: bool = False,
) -> None:
    """Mark the posts as failed with a hint; with `follow` they are tracked for another day."""
    transitions.fail_posts(
        session,
        ids,
        source,
        code=OutcomeUnknown.code,
        message=message,
        hint=HINT,
        claim=claim,
        track_at=leases.now_plus(FOLLOW_AFTER) if follow else None,
    )
