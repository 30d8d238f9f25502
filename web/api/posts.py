"""Posts: each with its state, its timeline and the reason for its failure."""

from collections.abc import Callable

from flask import Response
from sqlalchemy.orm import Session

from shared.access.visible_profiles import load_visible
from shared.models import Post
from shared.posts import cancel_retry, post_queries
from web.api.resource import create_blueprint, problem_responses
from web.auth import current_caller, requested_profiles
from web.http_layer.idempotency import Reply
from web.http_layer.optional_body import body_or_defaults, optional_body
from web.http_layer.pagination import decode_number, next_cursor
from web.schemas.common import IdPath, Page
from web.schemas.jobs import PostsQuery, PostView, RetryRequest
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
    openapi_extensions=optional_body(RetryRequest),
)
def retry_post(path: IdPath) -> Response:
    """Try a failed post again; one that may be live only on your word that it is not

    One that Postiz has waiting though its time is over (`overdue_in_postiz`) is taken out of Postiz
    first, on your word too, and stays `releasing` meanwhile. A post that is held because it is late
    is let go.
    """
    confirmed = body_or_defaults(RetryRequest).confirm_not_published
    return _change_post(
        path.id,
        lambda session, post: cancel_retry.retry_post(session, post, confirmed=confirmed),
    )


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
