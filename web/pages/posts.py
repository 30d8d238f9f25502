"""Posts: a list with filters that stay in the address, and each post with its story."""

from flask import Response, request

from shared.access.visible_profiles import load_visible
from shared.domain.publishing.states import PostState
from shared.models import Post
from shared.posts import post_queries
from web.auth import current_caller
from web.http_layer.pagination import decode_number, next_cursor
from web.pages.layout import create_reader_blueprint, show
from web.serializers.rows import post_list
from web.services import current_services

pages = create_reader_blueprint("post_pages")

POSTS = "/posts"
AT_ONCE = 50
#: Characters of a filter's value; longer ones match nothing.
_LONGEST = 200


@pages.get(POSTS)
def show_posts() -> Response:
    chosen = {
        name: request.args.get(name, "")[:_LONGEST] for name in ("state", "error_code", "channel")
    }
    state = chosen["state"]
    wanted = post_queries.PostFilter(
        visible=current_caller().visible,
        state=state if state in set(PostState) else None,
        error_code=chosen["error_code"] or None,
        integration_id=chosen["channel"] or None,
    )
    with current_services().database.transaction() as session:
        after = decode_number(request.args.get("cursor"))
        rows = post_queries.read_posts(session, wanted, after=after, limit=AT_ONCE)
        posts = post_list(session, rows)
    return show(
        "posts.html",
        title="Posts",
        path=POSTS,
        posts=posts,
        states=list(PostState),
        chosen=chosen,
        cursor=next_cursor(rows, AT_ONCE, lambda row: row.id),
    )


@pages.get(f"{POSTS}/<post_id>")
def show_post(post_id: str) -> Response:
    with current_services().database.transaction() as session:
        row = load_visible(session, Post, post_id, current_caller().visible)
        [post] = post_list(session, [row])
    return show("post.html", title=f"Post {post_id}", path=POSTS, post=post)
