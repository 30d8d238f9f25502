"""What the page of an approval link shows: the posts of its job, exactly as they would go out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.approvals.decisions import REJECTED
from shared.domain.publishing.states import PostState
from shared.errors import NotFound
from shared.intake.post_edits import current_values
from shared.media.post_media import media_of_parts, uses_any_of
from shared.models import ApprovalLink, Job, Media, Post, Profile
from shared.models.base import is_id

#: Posts on one page.
AT_ONCE = 50


@dataclass(frozen=True, kw_only=True)
class ShownPart:
    """A part that is published under the post, so many minutes after the one before it."""

    content: str
    media: Sequence[Media]
    delay_minutes: int


@dataclass(frozen=True, kw_only=True)
class ShownPost:
    """`rejection`: the note of the person who rejected it; None: nobody did."""

    id: int
    revision: int
    state: PostState
    channel: str
    network: str | None
    content: str
    media: Sequence[Media]
    parts: Sequence[ShownPart]
    settings: Mapping[str, Any]
    publish_at: datetime
    as_draft: bool
    rejection: str | None

    @property
    def is_ready(self) -> bool:
        """Whether it can be decided about: what goes out is known."""
        return self.state is PostState.WAITING_APPROVAL and self.network is not None


@dataclass(frozen=True, kw_only=True)
class ShownJob:
    """A page of a job's posts. `after`: the id after which the next page begins, if there is one.

    `zone`: the name of the time zone in which the job was planned.
    """

    profile_name: str
    zone: str
    total: int
    waiting: int
    posts: Sequence[ShownPost]
    after: int | None


def read_shown_job(session: Session, link: ApprovalLink, *, after: int) -> ShownJob:
    """`after`: the id of the last post of the page before, or 0."""
    own = Post.job_id == link.job_id, Post.requires_approval
    page = select(Post).where(*own, Post.id > after).order_by(Post.id).limit(AT_ONCE + 1)
    rows = session.scalars(page.execution_options(populate_existing=True)).all()
    is_waiting = Post.state == PostState.WAITING_APPROVAL
    total, waiting = session.execute(
        select(func.count(), func.count().filter(is_waiting)).where(*own)
    ).one()
    options = session.get_one(Job, link.job_id).options
    posts = rows[:AT_ONCE]
    return ShownJob(
        profile_name=session.get_one(Profile, link.profile_id).name,
        zone=str(options.get("timezone", "UTC")),
        total=total,
        waiting=waiting,
        posts=_show_posts(session, posts),
        after=posts[-1].id if len(rows) > AT_ONCE else None,
    )


def _show_posts(session: Session, posts: Sequence[Post]) -> list[ShownPost]:
    used = {medium for post in posts for medium in _media_ids(post)}
    media = {row.id: row for row in session.scalars(select(Media).where(Media.id.in_(used)))}
    return [_show_post(post, media) for post in posts]


def _media_ids(post: Post) -> list[int]:
    values = current_values(post)
    return [*values.media_ids, *media_of_parts(values.thread)]


def _show_post(post: Post, media: Mapping[int, Media]) -> ShownPost:
    values = current_values(post)
    return ShownPost(
        id=post.id,
        revision=post.revision,
        state=PostState(post.state),
        channel=post.integration_name or post.integration_id,
        network=post.integration_identifier,
        content=values.content,
        media=_present(media, values.media_ids),
        parts=[
            ShownPart(
                content=part["content"],
                media=_present(media, part["media_ids"]),
                delay_minutes=part["delay_minutes"],
            )
            for part in values.thread
        ],
        settings=values.settings,
        publish_at=values.publish_at,
        as_draft=post.as_draft,
        rejection=post.error_message if post.error_code == REJECTED else None,
    )


def _present(media: Mapping[int, Media], ids: Sequence[int]) -> list[Media]:
    """A post that is over does not keep its media."""
    return [media[medium] for medium in ids if medium in media]


def find_shown_medium(session: Session, link: ApprovalLink, media_id: str) -> Media:
    """One that a post of the link's job has. Raises `NotFound`."""
    posts = select(Post).where(Post.job_id == link.job_id, Post.requires_approval)
    if is_id(media_id):
        holding = posts.where(uses_any_of([int(media_id)])).limit(1)
        found = session.get(Media, int(media_id))
        if found is not None and session.scalar(holding) is not None:
            return found
    raise NotFound("There is no such picture")
