"""Posts: a list with filters that stay in the address, and each post with its story."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.access.visible_profiles import VisibleProfiles, load_visible
from shared.domain.publishing.states import PostState
from shared.domain.timing.local_time import in_utc
from shared.intake.post_edits import current_values
from shared.media import post_media
from shared.models import Integration, Media, Post, Profile
from shared.models.base import is_id
from shared.posts import cancel_retry, edits, post_queries
from shared.posts.post_queries import PostFilter
from shared.profiles import listing
from web.auth import current_caller
from web.http_layer.pagination import decode_number, encode_cursor, next_cursor
from web.pages.layout import create_reader_blueprint, show
from web.request_parsing.reader_zone import read_zone, unknown_zone
from web.schemas.jobs import PostView
from web.serializers.rows import post_list
from web.serializers.timeline_words import describe_event
from web.services import current_services

pages = create_reader_blueprint("post_pages")

POSTS = "/posts"
AT_ONCE = 50
FILTERS = ("state", "error_code", "channel", "profile", "job", "from", "to", "tz", "q")
#: Characters of a filter's value; longer ones match nothing.
_LONGEST = 200
#: Channels and profiles that are offered, the first by their names; others are written.
_OFFERED = 200
_ENDED = (PostState.FAILED, PostState.CANCELLED, PostState.HELD)


@pages.get(POSTS)
def show_posts() -> Response:
    chosen = {name: request.args.get(name, "").strip()[:_LONGEST] for name in FILTERS}
    zone = read_zone()
    wanted = _filter_of(chosen, zone)
    with current_services().database.transaction() as session:
        rows, cursor = _read_page(session, wanted, chosen["q"])
        posts = post_list(session, rows)
        clips = name_clips(session, posts)
        names = listing.names_of(session, (post.profile_id for post in posts))
        offered = list_offered(session, current_caller().visible)
    return show(
        "posts.html",
        title="Posts",
        path=POSTS,
        posts=posts,
        clips=clips,
        names=names,
        states=list(PostState),
        chosen=chosen,
        filtered={name: value for name, value in chosen.items() if value and name != "tz"},
        which=_which(chosen, wanted, rows),
        offered=offered,
        looked_at=post_queries.LOOKED_AT,
        zone=zone.key,
        unknown_zone=unknown_zone(),
        cursor=cursor,
        address=urlencode({name: value for name, value in chosen.items() if value}),
    )


def _filter_of(chosen: Mapping[str, str], zone: ZoneInfo) -> PostFilter:
    state, visible = chosen["state"], current_caller().visible
    return PostFilter(
        visible=visible.narrowed_to(chosen["profile"]) if chosen["profile"] else visible,
        job_id=_read_id(chosen["job"]),
        state=state if state in set(PostState) else None,
        error_code=_code_of(chosen["error_code"]),
        integration_id=chosen["channel"] or None,
        since=_read_moment(chosen["from"], zone),
        until=_read_moment(chosen["to"], zone),
    )


def _code_of(text: str) -> str | None:
    """A reason, also as the lists write it: with spaces."""
    return "_".join(text.lower().split()) or None


def _read_id(text: str) -> int | None:
    """What is no id matches nothing."""
    if not text:
        return None
    return int(text) if is_id(text) else 0


def _read_moment(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        return in_utc(datetime.fromisoformat(text), zone) if text else None
    except (ValueError, OverflowError):
        return None


def _read_page(
    session: Session, wanted: PostFilter, words: str
) -> tuple[Sequence[Post], str | None]:
    before = decode_number(request.args.get("cursor"))
    if not words:
        rows = post_queries.read_newest_posts(session, wanted, before=before, limit=AT_ONCE)
        return rows, next_cursor(rows, AT_ONCE, lambda row: row.id)
    found = post_queries.search_newest_posts(session, wanted, words, before=before, limit=AT_ONCE)
    return found.posts, None if found.behind is None else encode_cursor(str(found.behind))


def _which(
    chosen: Mapping[str, str], wanted: PostFilter, rows: Sequence[Post]
) -> dict[str, object]:
    """For the API, which posts these filters mean; with a search, those that are shown."""
    if chosen["q"]:
        return {"ids": [str(row.id) for row in rows]} if rows else {}
    named = {
        "state": wanted.state,
        "error_code": wanted.error_code,
        "integration_id": wanted.integration_id,
        "profile_id": chosen["profile"] or None,
        "job_id": chosen["job"] or None,
        "from": wanted.since and wanted.since.isoformat(),
        "to": wanted.until and wanted.until.isoformat(),
    }
    return {name: value for name, value in named.items() if value is not None}


def list_offered(
    session: Session, visible: VisibleProfiles
) -> tuple[Sequence[Integration], Sequence[Profile]]:
    profiles = listing.list_by_name(session, visible, limit=_OFFERED)
    accounts = {profile.account_id for profile in profiles if profile.account_id is not None}
    channels = select(Integration).where(Integration.account_id.in_(accounts), Integration.listed)
    named = channels.order_by(Integration.name, Integration.id).limit(_OFFERED)
    return session.scalars(named).all(), profiles


def name_clips(session: Session, posts: Sequence[PostView]) -> Mapping[str, str]:
    """Of each post's first medium its name, by its id: captions alone may all be the same."""
    ids = {int(post.media_ids[0]) for post in posts if post.media_ids}
    own = Media.id.in_(ids), current_caller().visible.condition(Media)
    named = select(Media.id, Media.name).where(*own, Media.name.is_not(None))
    return {str(row.id): row.name for row in session.execute(named)}


def _is_overdue(post: PostView) -> bool:
    """Postiz has it waiting though its time is over."""
    code = post.error.code if post.error else None
    return post.state == PostState.SCHEDULED and code in cancel_retry.OVERDUE_CODES


@pages.get(f"{POSTS}/<post_id>")
def show_post(post_id: str) -> Response:
    with current_services().database.transaction() as session:
        row = load_visible(session, Post, post_id, current_caller().visible)
        [post] = post_list(session, [row])
        editable = session.scalar(select(edits.is_editable()).where(Post.id == row.id))
        kept = Media.id.in_(post_media.list_media(row)), Media.profile_id == row.profile_id
        media = session.scalars(select(Media).where(*kept)).all()
        settings = current_values(row).settings
        names = listing.names_of(session, [row.profile_id])
    return show(
        "post.html",
        title=f"Post {post_id}",
        path=POSTS,
        post=post,
        names=names,
        media={str(medium.id): medium for medium in media},
        editable=editable,
        may_retry=post.state in _ENDED or _is_overdue(post),
        settings=json.dumps(settings, indent=1, ensure_ascii=False),
        seen_at=max((event.at.isoformat() for event in post.timeline), default=None),
        describe_event=describe_event,
    )
