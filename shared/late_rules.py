"""Posts that were accepted before Postiz had told its integrations: resolved once it has.

Which caption and settings are theirs depends on the network, which nobody knew. The request's own
words wait in the job's options under `late`, by the post's position.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.domain.rows import Channel, Known, Medium, PlannedPost, Row, faults_of
from shared.errors import FieldError
from shared.models import Job, Media, Post

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
    post.integration_identifier, post.integration_name = channel.identifier, channel.name
    post.content, post.settings = row.content_for(channel), row.settings_for(channel)
    planned = PlannedPost(
        row=row,
        channel=channel,
        content=post.content,
        settings=post.settings,
        media_ids=post.media_ids,
    )
    return faults_of(planned, Known(channels=None, media=_media(session, post)))


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


def _media(session: Session, post: Post) -> dict[str, Medium]:
    rows = session.execute(select(Media.id, Media.mime).where(Media.id.in_(post.media_ids)))
    return {str(number): Medium(id=number, mime=mime) for number, mime in rows}
