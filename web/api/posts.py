"""Posts: each with its state, its timeline and the reason for its failure."""

from flask import Response
from sqlalchemy.orm import Session

from shared import post_views
from shared.errors import NotFound
from shared.media import is_id
from shared.models import Post
from web.api.resource import resource
from web.auth import caller, profiles_in_sight
from web.idempotency import Reply
from web.paging import next_cursor, number_of
from web.schemas.common import IdPath, Page
from web.schemas.jobs import PostsQuery, PostView
from web.services import services
from web.views import post_list

api = resource("posts", "What is, was or will be published", write="publish")


@api.get("/posts", responses={200: Page[PostView]})
def list_posts(query: PostsQuery) -> Response:
    """List posts, in the order in which they were accepted"""
    with services().database.transaction() as session:
        wanted = post_views.Wanted(
            profile_ids=profiles_in_sight(session),
            state=query.state,
            integration_id=query.integration_id,
            since=query.since,
            until=query.until,
        )
        after = number_of(query.cursor)
        rows = post_views.listed(session, wanted, after=after, limit=query.limit)
        shown = post_list(session, rows)
    onward = next_cursor(rows, query.limit, lambda row: row.id)
    return Reply(body=Page[PostView](items=shown, next_cursor=onward)).response()


@api.get("/posts/<id>", responses={200: PostView})
def get_post(path: IdPath) -> Response:
    """Read a post with its timeline"""
    with services().database.transaction() as session:
        [shown] = post_list(session, [_visible(session, path.id)])
    return Reply(body=shown).response()


def _visible(session: Session, post_id: str) -> Post:
    post = session.get(Post, int(post_id)) if is_id(post_id) else None
    if post is None or not caller().sees(post.profile_id):
        raise NotFound(f"There is no post {post_id!r}")
    return post
