"""When an integration's posts are due: what a daily cap and a least gap have to reckon with."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from shared.domain.states import PostState
from shared.models import Post

#: Nothing is published of these.
_NOT_OUT = (PostState.FAILED, PostState.CANCELLED, PostState.DRAFT)


def times(
    session: Session, account_id: int, integration_ids: Collection[str], *, since: datetime
) -> dict[str, list[datetime]]:
    """The times, from `since` on, of each integration's accepted posts.

    Until the transaction ends, nobody else reckons with this account: two bulks at once would
    each take the places that the other one has.
    """
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 12))")
    session.execute(lock, {"name": f"occupied:{account_id}"})
    found: dict[str, list[datetime]] = defaultdict(list)
    query = select(Post.integration_id, Post.publish_at).where(
        Post.account_id == account_id,
        Post.integration_id.in_(integration_ids),
        Post.publish_at >= since,
        Post.state.not_in(_NOT_OUT),
        ~Post.as_draft,
    )
    for integration_id, moment in session.execute(query):
        found[integration_id].append(moment)
    return found
