"""Checks an edit of a post by the rules of `publish`, and says what it changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field
from sqlalchemy.orm import Session

from shared.domain.networks.channel import Channel
from shared.domain.publishing.planner import LATE
from shared.domain.rows.post_rows import Known, PlannedPost, Row, check_rows
from shared.domain.rows.thread_parts import saved_parts
from shared.domain.timing import local_time
from shared.domain.timing.spacing import LATEST
from shared.errors import Conflict, FieldError, Unprocessable
from shared.intake.calendar_times import in_calendar
from shared.intake.schemas import NetworkSettings
from shared.intake.thread_fields import Caption, Ids, ThreadFields
from shared.media import repository
from shared.models import Account, Post
from shared.posts.edits import Edit


class EditedContent(ThreadFields):
    """What is not given stays as it is. `settings` are merged with the old ones, key by key; a
    `thread` is in place of the old one, and an empty one ends it."""

    caption: Caption | None = None
    media_ids: Ids | None = None
    settings: NetworkSettings | None = Field(
        None, description="By integration id, or else identifier"
    )


@dataclass(frozen=True, kw_only=True)
class CurrentValues:
    """A post's values, those of an edit that waits before those that it replaces."""

    content: str
    media_ids: list[int]
    settings: dict[str, Any]
    thread: list[dict[str, Any]]
    publish_at: datetime


def current_values(post: Post) -> CurrentValues:
    edit: Mapping[str, Any] = post.edit or {}
    moved = edit.get("publish_at")
    return CurrentValues(
        content=edit.get("content", post.content),
        media_ids=edit.get("media_ids", post.media_ids),
        settings=edit.get("settings", post.settings),
        thread=edit.get("thread", post.thread),
        publish_at=datetime.fromisoformat(moved) if moved else post.publish_at,
    )


def plan_content(session: Session, post: Post, wanted: EditedContent) -> Edit:
    """What changes. Raises `Unprocessable` with what the network would refuse, and `Conflict` while
    the network is not known."""
    given = wanted.caption, wanted.media_ids, wanted.settings, wanted.parts
    if all(value is None for value in given):
        return Edit()
    if post.integration_identifier is None:
        message = "The post's channel is not known yet, because Postiz has not listed it: try later"
        raise Conflict(message, code="channel_not_known")
    made, now = _plan(session, post, wanted), current_values(post)
    return Edit(
        content=None if made.content == now.content else made.content,
        media_ids=None if made.media_ids == now.media_ids else made.media_ids,
        settings=None if made.settings == now.settings else made.settings,
        thread=None if made.thread_json == now.thread else made.thread_json,
    )


def _plan(session: Session, post: Post, wanted: EditedContent) -> PlannedPost:
    channel = Channel(
        id=post.integration_id,
        identifier=post.integration_identifier,
        name=post.integration_name,
    )
    now = current_values(post)
    names = [str(medium) for medium in now.media_ids]
    given = Row(publish_at=now.publish_at, settings=wanted.settings or {}).settings_for(channel)
    row = Row(
        publish_at=now.publish_at,
        caption=now.content if wanted.caption is None else wanted.caption,
        media_ids=names if wanted.media_ids is None else wanted.media_ids,
        settings={channel.id: {**now.settings, **given}},
        integration_ids=[channel.id],
        thread=saved_parts(now.thread) if wanted.parts is None else wanted.parts,
    )
    known = Known(
        channels={channel.id: channel},
        media=repository.find_media(session, post.profile_id, row.all_media_ids),
        overrides=session.get_one(Account, post.account_id).rule_overrides,
    )
    [checked] = check_rows([row], known)
    if checked.faults:
        message = "The post would be refused so: nothing was changed"
        raise Unprocessable(message, fields=checked.faults)
    return checked.posts[0]


def plan_time(post: Post, wanted: datetime, zone: str, now: datetime) -> Edit:
    """What changes. `wanted`: in `zone`, if it names no offset. Raises as `require_future`."""
    return _plan_moment(post, in_calendar(wanted, zone, "publish_at"), now)


def plan_shift(post: Post, by: timedelta, now: datetime) -> Edit:
    """What changes. Raises as `require_future`."""
    return _plan_moment(post, local_time.in_calendar(current_values(post).publish_at) + by, now)


def _plan_moment(post: Post, moment: datetime, now: datetime) -> Edit:
    require_future(moment, now)
    return Edit(publish_at=None if moment == current_values(post).publish_at else moment)


def require_future(moment: datetime, now: datetime) -> None:
    """Raises `Unprocessable` for a time that is past by more than what counts as in time, or too
    far away."""
    if moment < now - LATE:
        fault = FieldError(field="publish_at", message="lies in the past", code="in_the_past")
        raise Unprocessable("The new time lies in the past", fields=[fault], code=fault.code)
    if moment >= LATEST:
        message = f"must lie before {LATEST:%Y}"
        fault = FieldError(field="publish_at", message=message, code="too_far")
        raise Unprocessable("The new time is too far away", fields=[fault], code=fault.code)
