"""What there is: the posts of a window, what became of posts, and the next free time."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, request

from shared import db
from shared.domain.publishing.states import PostState
from shared.intake import post_edits
from shared.models import Integration, Post
from shared.posts import front_queries
from web.auth import current_profile
from web.postiz_front import channels, edits, replies
from web.postiz_front.blueprint import front
from web.postiz_front.call import read_time
from web.postiz_front.changes import GROUP
from web.postiz_front.replies import json_response
from web.services import current_services

#: The most posts of a window; a wider one is cut, and says so in this header.
MAX_POSTS = 10_000
CUT = "Pressroom-Warning"
#: The most of a page of notifications, as in Postiz.
PAGE = 100
#: Postiz's own times of the day, in UTC, of a channel that has no others (minutes).
_POSTING_MINUTES = (120, 400, 700)
_SEARCHED_DAYS = 366


@front.get("/posts")
def list_posts() -> Response:
    start, end = (read_time(request.args.get(name)) for name in ("startDate", "endDate"))
    wrong = [
        f"{name} must be a valid ISO 8601 date string"
        for name, moment in (("startDate", start), ("endDate", end))
        if moment is None
    ]
    if wrong:
        raise replies.bad_request(wrong)
    assert start is not None and end is not None
    with current_services().database.reading() as session:
        profile_id = current_profile(session)
        known = {row.id: row for row in channels.read_known(session, profile_id)}
        if request.args.get("customer", "") not in {"", profile_id}:
            return json_response({"posts": []})
        posts = front_queries.read_window(
            session, profile_id, known, start, end, limit=MAX_POSTS + 1
        )
        shown = [_post_view(post, known[post.integration_id]) for post in posts[:MAX_POSTS]]
    headers = {CUT: f"Only {MAX_POSTS} posts are shown"} if len(posts) > MAX_POSTS else {}
    return json_response({"posts": shown}, headers=headers)


def _post_view(post: Post, channel: Integration) -> dict[str, Any]:
    now = post_edits.current_values(post)
    settings = {"__type": channel.identifier, **now.settings}
    return {
        "id": str(post.id),
        "content": now.content,
        "publishDate": _iso(now.publish_at),
        "releaseURL": post.release_url,
        "releaseId": None,
        "state": _state_of(post),
        "intervalInDays": None,
        "group": f"{GROUP}{post.id}",
        "creationMethod": "API",
        "settings": json.dumps(settings, ensure_ascii=False, separators=(",", ":")),
        "tags": [],
        "integration": {
            "id": channel.id,
            "providerIdentifier": channel.identifier,
            "name": channel.name,
            "picture": channel.picture,
        },
    }


def _state_of(post: Post) -> str:
    ended: Mapping[str, str] = {PostState.PUBLISHED: "PUBLISHED", PostState.FAILED: "ERROR"}
    return ended.get(post.state) or ("DRAFT" if edits.is_draft(post) else "QUEUE")


def _iso(moment: datetime) -> str:
    in_utc = moment.astimezone(UTC)
    return f"{in_utc:%Y-%m-%dT%H:%M:%S}.{in_utc.microsecond // 1000:03d}Z"


@front.get("/notifications")
def list_notifications() -> Response:
    """What became of the profile's posts, newest first, in words like Postiz's."""
    asked = request.args.get("page", "0")
    page = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 7 else 0
    with current_services().database.reading() as session:
        profile_id = current_profile(session)
        total, posts = front_queries.read_ended(session, profile_id, offset=page * PAGE, limit=PAGE)
        shown = [_notification(post) for post in posts]
    more = (page + 1) * PAGE < total
    body = {"notifications": shown, "total": total, "page": page, "limit": PAGE, "hasMore": more}
    return json_response(body)


def _notification(post: Post) -> dict[str, Any]:
    network = (post.integration_identifier or "the network").capitalize()
    if post.state == PostState.PUBLISHED:
        at = f" at {post.release_url}" if post.release_url else ""
        words, moment = f"Your post has been published on {network}{at}", post.published_at
    else:
        why = post.error_message or post.error_code or "unknown"
        words, moment = f"An error occurred while posting on {network}: {why}", post.error_at
    return {
        "id": f"{post.id}-{post.state}",
        "content": words,
        "link": post.release_url,
        "createdAt": _iso(moment or post.updated_at),
    }


@front.get("/find-slot/<channel_id>")
def find_slot(channel_id: str) -> Response:
    channels.require_channel(channel_id)
    with current_services().database.reading() as session:
        now = db.read_clock(session)
        taken = front_queries.read_taken_minutes(
            session, current_profile(session), channel_id, now, now + timedelta(_SEARCHED_DAYS)
        )
    return json_response({"date": f"{_next_slot(now, taken):%Y-%m-%dT%H:%M:00}"})


def _next_slot(now: datetime, taken: set[datetime]) -> datetime:
    """The first of Postiz's times that no post of the channel has; after a year, any."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    slots = (
        day + timedelta(days=days, minutes=minutes)
        for days in range(_SEARCHED_DAYS)
        for minutes in _POSTING_MINUTES
    )
    later = (slot for slot in slots if slot > now and slot not in taken)
    return next(later, day + timedelta(days=_SEARCHED_DAYS))
