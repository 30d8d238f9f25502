"""The planner's input for a forecast, read from the database."""

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
from shared.postiz.payloads import Element, ElementPart, RemoteMedia
from shared.posts.late_policy import is_in_time

#: Placeholder for a medium that is not in Postiz yet: about as long as Postiz's id and path.
_PLACEHOLDER = RemoteMedia(id="x" * 36, path="x" * 100)
#: Assumed number of posts per call, for posts whose sizes are not read.
_POSTS_PER_CALL = 200


def planner_terms(session: Session, account: Account, settings: Settings, now: datetime) -> Terms:
    """The account's budget and pace; until Postiz reports its limit, its default is assumed."""
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
    """An estimate of the counted calls for posts that were accepted before."""
    staged = Post.handoff == STAGED
    pending = Post.account_id == account_id, Post.state == PostState.PENDING, is_in_time()
    posts, dates = session.execute(
        select(
            func.count().filter(staged, Post.publish_at <= now + STAGED_AHEAD),
            func.count(distinct(Post.publish_at)).filter(~staged),
        ).where(*pending)
    ).one()
    return -(-posts // _POSTS_PER_CALL) + int(dates)


def planner_candidates(
    session: Session,
    account: Account,
    posts: Sequence[PlannedPost],
    *,
    handoff: str,
    as_draft: bool,
) -> list[Candidate]:
    """`posts` as input for the planner; their ids are their indexes."""
    used = {media_id for post in posts for media_id in post.all_media_ids}
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
            parts=1 + len(post.thread),
        )
        for number, post in enumerate(posts)
    ]


def _element_size(post: PlannedPost, remote: Mapping[int, RemoteMedia]) -> int:
    return Element(
        integration_id=post.channel.id,
        content=post.content,
        settings=post.settings,
        images=[remote.get(media_id, _PLACEHOLDER) for media_id in post.media_ids],
        parts=[
            ElementPart(
                content=part.content,
                images=[remote.get(media_id, _PLACEHOLDER) for media_id in part.media_ids],
                delay_minutes=part.part.delay_minutes,
            )
            for part in post.thread
        ],
    ).size
