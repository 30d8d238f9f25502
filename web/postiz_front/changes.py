"""What a client does with posts that it knows: delete, schedule, back to draft, settings."""

from flask import Response
from sqlalchemy.orm import Session

from shared.intake.post_edits import EditedContent
from shared.models import Post
from shared.posts import cancel_retry
from web.auth import current_profile
from web.postiz_front import bodies, edits, replies
from web.postiz_front.blueprint import front
from web.postiz_front.replies import json_response
from web.services import current_services

#: Before the number of a post, in the name of its group.
GROUP = "pressroom-"
#: What Postiz answers to a delete that worked.
DELETED = {"error": True}
_STATUSES = {"draft": "DRAFT", "schedule": "QUEUE"}


@front.delete("/posts/<id>")
def delete_post(id: str) -> Response:
    with current_services().database.transaction() as session:
        post = edits.find_post(session, current_profile(session), id)
        if post is None:
            raise replies.internal_error()
        cancel_retry.cancel_post(session, post)
        account_id = post.account_id
    current_services().waker.look(account_id)
    return json_response(DELETED)


@front.delete("/posts/group/<group>")
def delete_group(group: str) -> Response:
    """A post is alone in its group. As in Postiz, an unknown one is no error."""
    with current_services().database.transaction() as session:
        post_id = group.removeprefix(GROUP) if group.startswith(GROUP) else ""
        post = edits.find_post(session, current_profile(session), post_id)
        if post is None:
            return json_response(DELETED)
        cancel_retry.cancel_post(session, post)
        account_id = post.account_id
    current_services().waker.look(account_id)
    return json_response(DELETED)


@front.put("/posts/<id>/status")
def put_status(id: str) -> Response:
    wanted = bodies.read_object().get("status")
    if not isinstance(wanted, str) or wanted not in _STATUSES:
        words = f"status must be one of the following values: {', '.join(_STATUSES)}"
        raise replies.bad_request([words])
    with current_services().database.transaction() as session:
        post = _require_post(session, id)
        edits.change_post(session, post, EditedContent(), as_draft=wanted == "draft")
        if wanted == "schedule":
            edits.start_again(session, post)
        account_id = post.account_id
    current_services().waker.look(account_id)
    return json_response({"id": id, "state": _STATUSES[wanted]})


@front.put("/posts/<id>/settings")
def put_settings(id: str) -> Response:
    """What is not named stays, as in Postiz."""
    given = bodies.read_object().get("settings")
    settings = dict(given) if isinstance(given, dict) else {}
    settings.pop("__type", None)
    with current_services().database.transaction() as session:
        post = edits.find_post(session, current_profile(session), id)
        if post is None:
            body = {"message": "Post not found", "error": "Not Found", "statusCode": 404}
            raise replies.Refused(404, body)
        if settings:
            wanted = edits.read_content({"settings": {post.integration_id: settings}}, "")
            edits.change_post(session, post, wanted)
        account_id, date = post.account_id, post.publish_at
    current_services().waker.look(account_id)
    return json_response({"postId": id, "publishDate": f"{date:%Y-%m-%dT%H:%M:%S}"})


def _require_post(session: Session, post_id: str) -> Post:
    profile_id = current_profile(session)
    post = edits.find_post(session, profile_id, post_id)
    if post is None:
        raise replies.bad_request("Post not found")
    return post
