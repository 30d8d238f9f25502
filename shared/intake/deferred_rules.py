"""Posts that were accepted while Postiz's integrations were unknown: completed once they are known.

Caption and settings depend on the network, which was not known. So the request's captions and
settings are kept in the job's options under `late`, by the post's position.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.domain.networks.channel import Channel
from shared.domain.rows.post_rows import Known, Row, faults_of, plan_post
from shared.domain.rows.thread_parts import RowPart, saved_parts
from shared.errors import FieldError
from shared.media import post_media, repository
from shared.models import Account, Job, Post
from shared.posts import transitions
from shared.posts.edits import EDITED

DEFERRED = "late"


def deferred_options(rows: Sequence[Row]) -> dict[str, Any]:
    """What a job keeps of `rows` until their integrations are known."""
    return {DEFERRED: {str(row.position): _deferred_fields(row) for row in rows}}


def _deferred_fields(row: Row) -> dict[str, Any]:
    return {
        "caption": row.caption,
        "captions": dict(row.captions),
        "settings": dict(row.settings),
        "youtube_title": row.youtube_title,
        "thread": [vars(part) for part in row.thread],
        "drops_thread": row.drops_thread,
    }


def resolve_post(session: Session, post: Post, channel: Channel) -> list[FieldError]:
    """Set caption and settings for the network of `post`; returns what the network would refuse.

    For a post without `integration_identifier`. The caller fails the post if there are faults, or
    if its integration is unknown or disabled.
    """
    job = session.get_one(Job, post.job_id)
    row = _post_row(post, job.options.get(DEFERRED, {}).get(str(post.position), {}))
    made = plan_post(row, channel, post.media_ids, int)
    post.integration_identifier, post.integration_name = channel.identifier, channel.name
    now = made.content, made.settings, made.thread_json
    if post.requires_approval and now != (post.content, post.settings, post.thread):
        post.revision += 1  # whoever saw the request's own values has not seen these
        detail = f"revision {post.revision}: as its network has it, which is known now"
        transitions.add_events(session, [post.id], EDITED, detail)
    post.content, post.settings, post.thread = now
    if made.has_lost_thread:
        transitions.add_events(session, [post.id], "thread_left_out", channel.identifier)
    if made.assumed:
        transitions.add_events(
            session, [post.id], "settings_assumed", _describe_settings(made.assumed)
        )
    return faults_of(made, _known_facts(session, post))


def media_faults(session: Session, post: Post) -> list[FieldError]:
    """What the network would refuse in the media of a post whose integration is known.

    For a post that was accepted while one of its media was only a URL. Only the media are checked
    again.
    """
    row = _post_row(post, {"settings": {post.integration_id: post.settings}})
    channel = Channel(id=post.integration_id, identifier=post.integration_identifier)
    made = plan_post(row, channel, post.media_ids, int)
    found = faults_of(made, _known_facts(session, post))
    return [fault for fault in found if fault.code == "media_refused"]


def _describe_settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {json.dumps(value)}" for name, value in settings.items())


def _post_row(post: Post, kept: dict[str, Any]) -> Row:
    return Row(
        position=post.position,
        publish_at=post.publish_at,
        media_ids=[str(media_id) for media_id in post.media_ids],
        caption=kept.get("caption", post.content),
        captions=kept.get("captions", {}),
        settings=kept.get("settings", {post.integration_id: post.settings}),
        youtube_title=kept.get("youtube_title"),
        thread=_row_parts(post, kept),
        drops_thread=kept.get("drops_thread", False),
    )


def _row_parts(post: Post, kept: dict[str, Any]) -> list[RowPart]:
    if "thread" not in kept:
        return saved_parts(post.thread)
    return [RowPart(**part) for part in kept["thread"]]


def _known_facts(session: Session, post: Post) -> Known:
    overrides = session.scalar(select(Account.rule_overrides).where(Account.id == post.account_id))
    names = [str(media_id) for media_id in post_media.list_media(post)]
    return Known(
        channels=None,
        media=repository.find_media(session, post.profile_id, names),
        overrides=overrides or {},
    )
