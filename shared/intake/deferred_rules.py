"""Posts that were accepted before Postiz had told its integrations: resolved once it has.

Which caption and settings are theirs depends on the network, which nobody knew. The request's own
words wait in the job's options under `late`, by the post's position.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.domain.networks.channel import Channel
from shared.domain.rows.post_rows import Known, Row, faults_of, planned
from shared.errors import FieldError
from shared.media import repository
from shared.models import Account, Job, Post
from shared.posts import transitions

LATE = "late"


def late_options(rows: Sequence[Row]) -> dict[str, Any]:
    """What a job has to keep of `rows` until their integrations are known."""
    return {LATE: {str(row.position): _kept(row) for row in rows}}


def _kept(row: Row) -> dict[str, Any]:
    return {
        "caption": row.caption,
        "captions": dict(row.captions),
        "settings": dict(row.settings),
        "youtube_title": row.youtube_title,
    }


def resolve(session: Session, post: Post, channel: Channel) -> list[FieldError]:
    """Give `post` the caption and settings of its network; returns what the network would refuse.

    For a post without `integration_identifier`; the caller fails it when there are faults, and
    when its integration is unknown or disabled.
    """
    job = session.get_one(Job, post.job_id)
    row = _row(post, job.options.get(LATE, {}).get(str(post.position), {}))
    made = planned(row, channel, post.media_ids)
    post.integration_identifier, post.integration_name = channel.identifier, channel.name
    post.content, post.settings = made.content, made.settings
    if made.assumed:
        transitions.add_events(session, [post.id], "settings_assumed", _words(made.assumed))
    return faults_of(made, _known(session, post))


def media_faults(session: Session, post: Post) -> list[FieldError]:
    """What the network would refuse in the media of a post whose integration is known.

    For a post that was accepted while one of them was an address; what else was accepted then
    stays accepted.
    """
    row = _row(post, {"settings": {post.integration_id: post.settings}})
    channel = Channel(id=post.integration_id, identifier=post.integration_identifier)
    found = faults_of(planned(row, channel, post.media_ids), _known(session, post))
    return [fault for fault in found if fault.code == "media_refused"]


def _words(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {json.dumps(value)}" for name, value in settings.items())


def _row(post: Post, kept: dict[str, Any]) -> Row:
    return Row(
        position=post.position,
        publish_at=post.publish_at,
        media_ids=[str(media_id) for media_id in post.media_ids],
        caption=kept.get("caption", post.content),
        captions=kept.get("captions", {}),
        settings=kept.get("settings", {post.integration_id: post.settings}),
        youtube_title=kept.get("youtube_title"),
    )


def _known(session: Session, post: Post) -> Known:
    own = session.scalar(select(Account.rule_overrides).where(Account.id == post.account_id))
    names = [str(media_id) for media_id in post.media_ids]
    return Known(
        channels=None,
        media=repository.known(session, post.profile_id, names),
        overrides=own or {},
    )
