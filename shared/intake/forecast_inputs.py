"""Planning: what a forecast of posts starts from, as the database knows it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import distinct, func, select
from sqlalchemy.orm import Session

from shared.accounts.budget_queries import budget_state
from shared.config import Settings
from shared.domain.publishing.batching import Candidate
from shared.domain.publishing.handoff import ASSUMED_BUDGET, STAGED
from shared.domain.publishing.planner import STAGED_AHEAD, Terms
from shared.domain.publishing.states import PostState
from shared.domain.rows.post_rows import PlannedPost
from shared.media import upload_queue
from shared.models import Account, AccountMedia, Post
from shared.postiz.payloads import Element, RemoteMedia
from shared.posts.late_policy import is_in_time

#: What a medium will be called that is not in Postiz yet: about as long as what Postiz answers.
_NOT_YET = RemoteMedia(id="x" * 36, path="x" * 100)
#: How many posts of others share a call, when their sizes are not looked at.
_USUAL_PACK = 200


def planner_terms(session: Session, account: Account, settings: Settings, now: datetime) -> Terms:
    """How the account stands; while Postiz has not told its limit, the shipped one is assumed."""
    budget = budget_state(account)
    if budget.most is None:
        budget = replace(budget, limit=ASSUMED_BUDGET)
    return Terms(
        now=now,
        budget=budget,
        settle=timedelta(seconds=settings.settle_seconds),
        writes_per_second=settings.writes_per_second,
        calls_before=_calls_before(session, account.id, now),
    )


def _calls_before(session: Session, account_id: int, now: datetime) -> int:
    """About how many counted calls the posts need that were accepted before."""
    staged = Post.handoff == STAGED
    pending = Post.account_id == account_id, Post.state == PostState.PENDING, is_in_time()
    posts, dates = session.execute(
        select(
            func.count().filter(staged, Post.publish_at <= now + STAGED_AHEAD),
            func.count(distinct(Post.publish_at)).filter(~staged),
        ).where(*pending)
    ).one()
    return -(-posts // _USUAL_PACK) + int(dates)


def planner_candidates(
    session: Session,
    account: Account,
    posts: Sequence[PlannedPost],
    *,
    handoff: str,
    as_draft: bool,
) -> list[Candidate]:
    """`posts` as the planner sees them; their ids are their places."""
    used = {media_id for post in posts for media_id in post.media_ids}
    uploaded = AccountMedia.state == "uploaded"
    remote = upload_queue.read_remote_media(session, account.id, used, uploaded)
    return [
        Candidate(
            id=number,
            key=None,
            handoff=handoff,
            as_draft=as_draft,
            publish_at=post.row.publish_at,
            size=_element_size(post, remote),
        )
        for number, post in enumerate(posts)
    ]


def _element_size(post: PlannedPost, remote: Mapping[int, RemoteMedia]) -> int:
    return Element(
        integration_id=post.channel.id,
        content=post.content,
        settings=post.settings,
        images=[remote.get(media_id, _NOT_YET) for media_id in post.media_ids],
    ).size
