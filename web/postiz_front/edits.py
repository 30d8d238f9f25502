"""Changes of posts that were accepted before, in the protocol of `PATCH /api/v1/posts/ID`."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import db
from shared.access.visible_profiles import VisibleProfiles, load_visible
from shared.domain.publishing.states import PostState
from shared.errors import NotFound
from shared.intake import post_edits
from shared.intake.post_edits import EditedContent
from shared.models import Post
from shared.posts import cancel_retry, day_caps, edits
from web.api.resource import refuse_past_approval
from web.http_layer import problems
from web.postiz_front import replies

#: What Postiz no longer knows.
GONE = (PostState.CANCELLING, PostState.CANCELLED)


def find_post(session: Session, profile_id: str, post_id: str) -> Post | None:
    """The profile's post, None also for one that was deleted."""
    try:
        post = load_visible(session, Post, post_id, VisibleProfiles.only({profile_id}))
    except NotFound:
        return None
    return None if post.state in GONE else post


def was_deleted(session: Session, profile_id: str, post_id: str) -> bool:
    try:
        post = load_visible(session, Post, post_id, VisibleProfiles.only({profile_id}))
    except NotFound:
        return False
    return post.state in GONE


def read_content(values: Mapping[str, Any], place: str) -> EditedContent:
    """Raises `Refused` for what no post can hold. `place`: where a client has it."""
    try:
        return EditedContent.model_validate(values)
    except ValidationError as error:
        faults = [
            f"{place}{each.field.replace('caption', 'content')} {each.message}"
            for each in problems.field_errors(error)
        ]
        raise replies.bad_request(faults) from error


def change_post(
    session: Session,
    post: Post,
    wanted: EditedContent,
    *,
    publish_at: datetime | None = None,
    as_draft: bool | None = None,
) -> None:
    """Nothing, if nothing differs. Raises `Conflict` where it is too late, and what `PATCH` does.

    A time in the past means at once, as in Postiz.
    """
    db.lock_again(session, post)
    if post.state in GONE:  # since it was found
        edits.refuse(post)
    if not post.requires_approval:
        refuse_past_approval()
    planned = post_edits.plan_content(session, post, wanted)
    now = db.read_clock(session)
    current = post_edits.current_values(post)
    if publish_at is not None and publish_at.replace(microsecond=0) != current.publish_at:
        moved = post_edits.plan_time(post, max(publish_at, now), "UTC", now)
        if moved.publish_at is not None:
            day_caps.require_room(session, post, moved.publish_at)
        planned = replace(planned, publish_at=moved.publish_at)
    if as_draft is not None and as_draft != is_draft(post):
        planned = replace(planned, as_draft=as_draft)
    if not planned.as_json():
        return
    if not session.scalar(select(edits.is_editable()).where(Post.id == post.id)):
        edits.refuse(post)
    edits.edit_posts(session, {post.id: planned})
    session.refresh(post)


def is_draft(post: Post) -> bool:
    """Whether it is to stay a draft; as its waiting edit says, if there is one."""
    return bool((post.edit or {}).get("as_draft", post.as_draft))


def start_again(session: Session, post: Post) -> None:
    """A post that failed, or that is late and waits for a decision, is to be published after all.

    Raises `Conflict` if it may be live.
    """
    if post.state in {PostState.FAILED, PostState.HELD}:
        cancel_retry.retry_post(session, post, confirmed=False)
