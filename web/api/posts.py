"""Posts: each with its state, its timeline and the reason for its failure."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from flask import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared import db
from shared.access.visible_profiles import load_visible
from shared.domain.timing.local_time import in_utc
from shared.errors import Conflict
from shared.intake import post_edits
from shared.models import Event, Post
from shared.posts import cancel_retry, day_caps, edits, post_queries
from web.api.resource import create_blueprint, problem_responses, refuse_past_approval
from web.auth import current_caller, requested_profiles
from web.http_layer.idempotency import Reply
from web.http_layer.optional_body import body_or_defaults, optional_body
from web.http_layer.pagination import decode_number, next_cursor
from web.schemas.common import IdPath, Page
from web.schemas.jobs import PatchPost, PostsQuery, PostView, RetryPost
from web.serializers.rows import post_list
from web.services import current_services

api = create_blueprint("posts", "What is, was or will be published", write="publish")


@api.get("/posts", responses={200: Page[PostView]})
def list_posts(query: PostsQuery) -> Response:
    """List posts, in the order in which they were accepted"""
    with current_services().database.transaction() as session:
        wanted = post_queries.PostFilter(
            visible=requested_profiles(session),
            state=query.state,
            integration_id=query.integration_id,
            error_code=query.error_code,
            since=query.since,
            until=query.until,
        )
        after = decode_number(query.cursor)
        rows = post_queries.read_posts(session, wanted, after=after, limit=query.limit)
        shown = post_list(session, rows)
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    return Reply(body=Page[PostView](items=shown, next_cursor=onward)).response()


@api.get("/posts/<id>", responses={200: PostView})
def get_post(path: IdPath) -> Response:
    """Read a post with its timeline"""
    with current_services().database.transaction() as session:
        [shown] = post_list(session, [_require_visible_post(session, path.id)])
    return Reply(body=shown).response()


@api.post("/posts/<id>/cancel", responses={202: PostView, **problem_responses(409)})
def cancel_post(path: IdPath) -> Response:
    """Take a post back; what Postiz holds of it is deleted there

    One that is deleted after its time says so (`may_have_been_sent`).
    """
    return _change_post(path.id, cancel_retry.cancel_post)


@api.post(
    "/posts/<id>/retry",
    responses={202: PostView, **problem_responses(409)},
    openapi_extensions=optional_body(RetryPost),
)
def retry_post(path: IdPath) -> Response:
    """Try a failed post again; one that may be live only on your word that it is not

    One that Postiz has waiting though its time is over (`overdue_in_postiz`) is taken out of Postiz
    first, on your word too, and stays `releasing` meanwhile. A post that is held because it is late
    is let go. With `as_of`, only if nothing has happened to it since.
    """
    body = body_or_defaults(RetryPost)

    def retry(session: Session, post: Post) -> None:
        if body.as_of is not None:
            _require_unchanged(session, post, as_of=body.as_of)
        if not post.requires_approval:
            refuse_past_approval()
        cancel_retry.retry_post(session, post, confirmed=body.confirm_not_published)

    return _change_post(path.id, retry)


def _require_unchanged(session: Session, post: Post, *, as_of: datetime) -> None:
    """Raises `Conflict`. A word about what was seen says nothing of what happened after that."""
    db.lock_again(session, post)
    last = session.scalar(select(func.max(Event.at)).where(Event.post_id == post.id))
    if last is not None and last > in_utc(as_of):
        message = "Something has happened to the post since then: read it again"
        raise Conflict(message, code="changed_meanwhile")


@api.patch("/posts/<id>", responses={202: PostView, **problem_responses(409, 422)})
def patch_post(path: IdPath, body: PatchPost) -> Response:
    """Change what a post says, shows or when it is due, until its release is under way

    What Postiz has in its calendar is taken out first (`rescheduling`), until 2 minutes before its
    time. A post that failed or was cancelled is edited and then retried. With `revision`, only if
    nobody else has changed it meanwhile. A refused edit changes nothing.
    """

    def edit(session: Session, post: Post) -> None:
        db.lock_again(session, post)
        if not post.requires_approval:
            refuse_past_approval()
        if body.revision not in {None, post.revision}:
            message = f"Somebody has changed it meanwhile (revision {post.revision}): load it again"
            raise Conflict(message, code="changed_meanwhile")
        if not session.scalar(select(edits.is_editable()).where(Post.id == post.id)):
            edits.refuse(post)
        planned = post_edits.plan_content(session, post, body)
        if body.publish_at is not None:
            now = db.read_clock(session)
            moved = post_edits.plan_time(post, body.publish_at, body.timezone, now)
            if moved.publish_at is not None:
                day_caps.require_room(session, post, moved.publish_at)
            planned = replace(planned, publish_at=moved.publish_at)
        if planned.as_json():
            edits.edit_posts(session, {post.id: planned})
            session.refresh(post)

    return _change_post(path.id, edit)


def _change_post(post_id: str, change: Callable[[Session, Post], None]) -> Response:
    with current_services().database.transaction() as session:
        post = _require_visible_post(session, post_id)
        change(session, post)
        [shown] = post_list(session, [post])
        account_id = post.account_id
    current_services().waker.look(account_id)
    return Reply(body=shown, status=202).response()


def _require_visible_post(session: Session, post_id: str) -> Post:
    return load_visible(session, Post, post_id, current_caller().visible)
